import { or, type Formula } from './formula.ts';
import { formulaOf, unanalysed } from './residue-formula.ts';
import type { RegoTools, RuleResidue } from './rego-tools.ts';
import type { DecidingSet, RuleBook, RuleSet } from './rule-sets.ts';
import { knownInput, unknownsOf, type ToolQuestion } from './tool-question.ts';
import { withInputFacts } from './with-schema.ts';

/** When one rule set says something about a call. */
export interface Contribution {
  readonly rule: string;
  readonly set: DecidingSet;
  readonly formula: Formula;
}

/** What the rules say about a class of calls: one formula over what is not known for each effect, and where it comes from. */
export interface Verdict {
  readonly deny: Formula;
  readonly allow: Formula;
  readonly approval: Formula;
  readonly redact: Formula;
  /** When a counted limit is named; where it is used up, the call is denied. */
  readonly limit: Formula;
  readonly contributions: readonly Contribution[];
}

/** Partial evaluations of one message to OPA: so many cases stay well below its limit of time. */
const casesAtOnce = 25;

/**
 * Asks the rule sets about each question by partial evaluation. Questions with the same unknowns share a compiled program.
 * @throws GatewayError `policy.fault` when OPA does not finish within `timeoutMs` (for one batch)
 */
export async function verdictsOf(
  rego: RegoTools,
  book: RuleBook,
  questions: readonly ToolQuestion[],
  options: { readonly timeoutMs?: number; readonly sets?: readonly DecidingSet[] } = {},
): Promise<readonly Verdict[]> {
  const sets = book.sets.filter(({ isEnforced, set }) => isEnforced && (options.sets?.includes(set) ?? true));
  const queries = sets.map(({ query }) => query);
  const verdicts = new Map<ToolQuestion, Verdict>();
  for (const batch of batches(questions)) {
    const [first] = batch;
    if (first === undefined) continue;
    const cases = batch.map((question) => ({ input: knownInput(question), queries }));
    const query = { files: book.files, bundle: true, ast: true, unknowns: unknownsOf(first), cases };
    const residues = await rego.partial(query, options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs });
    for (const [index, question] of batch.entries()) verdicts.set(question, verdict(sets, residues[index] ?? []));
  }
  return questions.map((question) => verdicts.get(question) ?? unknownVerdict);
}

function* batches(questions: readonly ToolQuestion[]): Generator<readonly ToolQuestion[]> {
  const groups = new Map<string, ToolQuestion[]>();
  for (const question of questions) {
    const key = unknownsOf(question).join();
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [question]);
    else group.push(question);
  }
  for (const group of groups.values()) for (let at = 0; at < group.length; at += casesAtOnce) yield group.slice(at, at + casesAtOnce);
}

function verdict(sets: readonly RuleSet[], residues: readonly RuleResidue[]): Verdict {
  const contributions = sets
    .map(({ rule, set, query }, index) => {
      const residue = residues[index];
      const formula = residue === undefined ? unanalysed('it was not analysed', query) : withInputFacts(formulaOf(residue));
      return { rule, set, formula };
    })
    .filter(({ formula }) => formula.op !== 'false');
  const anyOf = (set: DecidingSet): Formula => or(contributions.filter((one) => one.set === set).map(({ formula }) => formula));
  return {
    deny: anyOf('deny'),
    allow: anyOf('allow'),
    approval: anyOf('require_approval'),
    redact: anyOf('redact'),
    limit: anyOf('limit'),
    contributions,
  };
}

const nothing = (set: DecidingSet): Formula => unanalysed('it was not analysed', set);
/** Where nothing is known: everything may be. */
export const unknownVerdict: Verdict = {
  deny: nothing('deny'),
  allow: nothing('allow'),
  approval: nothing('require_approval'),
  redact: nothing('redact'),
  limit: nothing('limit'),
  contributions: [],
};
