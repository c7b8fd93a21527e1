import { canonical } from '../model/digest.ts';
import { effects, type Effect } from '../model/decision.ts';
import type { JsonObject } from '../model/json.ts';
import { compileValidator } from '../model/validate.ts';
import { always, and, not, or, rewrite, type Formula } from './formula.ts';
import { inWords } from './formula-words.ts';
import type { CatalogueRow } from './matrix.ts';
import { sampleArguments } from './narrow-schema.ts';
import type { RegoFiles, RegoTools } from './rego-tools.ts';
import { readRuleBook, type RuleBook } from './rule-sets.ts';
import { clausesOf, modelOf, variantsOf, type Clause, type Domain } from './satisfy.ts';
import { speaksOf, type Statement } from './statements.ts';
import { wholeInput, type ToolQuestion } from './tool-question.ts';
import { verdictsOf, type Verdict } from './verdict.ts';
import { domainOf, withSchema } from './with-schema.ts';

export interface Proof {
  readonly name: string;
  /** `holds` is proved for every call; `broken` has an input that breaks it; `unknown` is neither. */
  readonly outcome: 'holds' | 'broken' | 'unknown';
  /** Tools of the catalogue that the statement speaks of. */
  readonly tools: number;
  readonly counterexample?: Counterexample;
  /** Why it is unknown: tool by tool, what would break it and could be neither excluded nor shown. */
  readonly open: readonly { readonly server: string; readonly tool: string; readonly effect: Effect | null; readonly words: string }[];
}

export interface Counterexample {
  readonly server: string;
  readonly tool: string;
  /** What the compiled policy answers to `input`. */
  readonly effect: Effect;
  readonly input: JsonObject;
}

export interface ProofQuestion {
  readonly files: RegoFiles;
  readonly statements: readonly Statement[];
  readonly tools: readonly CatalogueRow[];
  readonly environment: ToolQuestion['environment'];
  /** What the compiled policy answers to an input. */
  readonly decide: (inputJson: string) => Promise<Effect>;
}

const maxTries = 200;

/**
 * Proves each statement for all tools that it speaks of, or finds a call that breaks it. A counterexample is an input that the compiled
 * policy itself answered; a proof is one about the rules, for every value of what the statement leaves open.
 * @throws GatewayError `policy.invalid` when the release does not compile
 */
export async function prove(rego: RegoTools, question: ProofQuestion): Promise<readonly Proof[]> {
  const { files, statements, tools, environment } = question;
  const asked = statements.map((statement) => ({
    statement,
    rows: tools
      .filter(({ facts }) => speaksOf(statement, facts))
      .map((row) => ({ row, question: { identity: statement.who, tool: row.facts, environment, given: statement.given } })),
  }));
  const questions = asked.flatMap(({ rows }) => rows.map((one) => one.question));
  const [sample] = questions;
  const book = sample && (await readRuleBook(rego, files, JSON.stringify(wholeInput(sample))));
  const verdicts = book === undefined || book.obstacle !== undefined ? [] : await verdictsOf(rego, book, questions);
  const byQuestion = new Map<ToolQuestion, Verdict | undefined>(questions.map((one, index) => [one, verdicts[index]]));
  const proofs: Proof[] = [];
  for (const { statement, rows } of asked) {
    proofs.push(await proofOf(statement, rows, book, (one) => byQuestion.get(one), question.decide));
  }
  return proofs;
}

interface Row {
  readonly row: CatalogueRow;
  readonly question: ToolQuestion;
}

async function proofOf(
  statement: Statement,
  rows: readonly Row[],
  book: RuleBook | undefined,
  verdictFor: (question: ToolQuestion) => Verdict | undefined,
  decide: ProofQuestion['decide'],
): Promise<Proof> {
  const base = { name: statement.name, tools: rows.length };
  // A statement about nothing is more likely misspelt than true.
  if (rows.length === 0)
    return { ...base, outcome: 'unknown', open: [{ server: '', tool: '', effect: null, words: 'it speaks of no tool of the catalogue' }] };
  const open: Proof['open'][number][] = [];
  for (const { row, question } of rows) {
    const verdict = verdictFor(question);
    const { server, name: tool } = row.facts;
    if (verdict === undefined) {
      open.push({ server, tool, effect: null, words: book?.obstacle ?? 'it was not analysed' });
      continue;
    }
    const domain = domainOf(row.inputSchema);
    for (const effect of effects.filter((one) => !statement.only.includes(one))) {
      const possible = whenPossible(effect, verdict, row, statement);
      if (possible.op === 'false') continue;
      const clauses = clausesOf(and([kinds, possible]), domain);
      if (clauses?.length === 0) continue;
      const found = await search([...understood(possible, domain), ...(clauses ?? [])], statement, row, question, decide);
      if (found !== undefined) return { ...base, outcome: 'broken', counterexample: { server, tool, ...found }, open: [] };
      open.push({ server, tool, effect, words: inWords(possible) });
    }
  }
  return { ...base, outcome: open.length === 0 ? 'holds' : 'unknown', open };
}

/** A condition without which the effect is impossible. It may hold where the effect still is not that: only `false` is a proof. */
function whenPossible(effect: Effect, verdict: Verdict, { inputSchema }: CatalogueRow, { groupsInclude, given }: Statement): Formula {
  const known = (formula: Formula): Formula => withGroups(withSchema(formula, inputSchema), groupsInclude);
  const [deny, allow, approval, redact, limit] = [verdict.deny, verdict.allow, verdict.approval, verdict.redact, verdict.limit].map(
    known,
  ) as [Formula, Formula, Formula, Formula, Formula];
  const passes = and([allow, not(deny)]);
  // An approval that was given answers the rules that asked for it.
  const notHeld = given['approval'] === null ? not(approval) : always;
  switch (effect) {
    case 'deny':
      return or([deny, not(allow), and([limit, usedUp])]);
    case 'require_approval':
      return and([passes, approval]);
    case 'redact':
      return and([passes, notHeld, redact]);
    case 'allow':
      return and([passes, notHeld, not(redact)]);
    default:
      return effect satisfies never;
  }
}

/** Of whatever kind an identity is, it is one of these. */
const kinds: Formula = { op: 'is', atom: { test: 'oneOf', path: ['identity', 'kind'], values: ['user', 'service'] } };

/** Ways in which the part that is understood can hold: what is not, is tried. */
function understood(formula: Formula, domain: Domain): readonly Clause[] {
  const rest = rewrite(formula, (leaf) => (leaf.op === 'opaque' || leaf.op === 'notOpaque' ? always : undefined));
  return clausesOf(and([kinds, rest]), domain) ?? [];
}

/** Counted by the gateway, so never excluded here. */
const usedUp: Formula = { op: 'opaque', text: 'its limit is used up', key: 'limit', reads: [['usage', 'limits']] };

function withGroups(formula: Formula, groups: readonly string[]): Formula {
  const isKnown = (leaf: Formula): boolean =>
    (leaf.op === 'is' || leaf.op === 'isNot') &&
    leaf.atom.test === 'contains' &&
    leaf.atom.path.join('.') === 'identity.groups' &&
    leaf.atom.values.some((value) => typeof value === 'string' && groups.includes(value));
  return rewrite(formula, (leaf) => (isKnown(leaf) ? (leaf.op === 'is' ? always : not(always)) : undefined));
}

/** Tries calls on the policy that fit a clause, first those that need least. */
async function search(
  clauses: readonly Clause[],
  { only, groupsInclude }: Statement,
  { inputSchema }: CatalogueRow,
  question: ToolQuestion,
  decide: ProofQuestion['decide'],
): Promise<Pick<Counterexample, 'effect' | 'input'> | undefined> {
  const check = inputSchema === undefined ? undefined : safeValidator(inputSchema);
  const needed = inputSchema === undefined ? {} : sampleArguments(inputSchema, '');
  const more = { arguments: needed, ...(groupsInclude.length === 0 ? {} : { identity: { groups: groupsInclude } }) };
  const start = wholeInput(
    question,
    question.given?.['arguments'] === undefined ? more : { ...more, arguments: question.given['arguments'] },
  );
  const domain = domainOf(inputSchema);
  const tried = new Set<string>();
  const byLength = [...clauses].sort((a, b) => a.length - b.length);
  const models = byLength.map((clause) => modelOf(clause, start, domain)).filter((model) => model !== undefined);
  // First what the clauses say, then what their text lets one guess.
  const variants = byLength.flatMap((clause) => variantsOf(clause, modelOf(clause, start, domain) ?? start, domain));
  for (const input of [...models, ...variants]) {
    const text = canonical(input);
    if (tried.has(text) || check?.(input['arguments']) !== undefined) continue;
    tried.add(text);
    const effect = await decide(JSON.stringify(input));
    if (!only.includes(effect)) return { effect, input };
    if (tried.size >= maxTries) return undefined;
  }
  return undefined;
}

function safeValidator(schema: JsonObject): ((value: unknown) => string | undefined) | undefined {
  try {
    return compileValidator(schema);
  } catch {
    // A tool whose schema is broken can be called with nothing: an example for it need not fit.
    return undefined;
  }
}
