import type { ToolFacts } from '../model/input.ts';
import type { JsonObject } from '../model/json.ts';
import { alternativesOf, rootsOf, type Formula } from './formula.ts';
import { inWords } from './formula-words.ts';
import type { RegoFiles, RegoTools } from './rego-tools.ts';
import { readRuleBook, type DecidingSet, type RuleBook } from './rule-sets.ts';
import { wholeInput, type KnownIdentity, type ToolQuestion } from './tool-question.ts';
import { verdictsOf, type Verdict } from './verdict.ts';
import { withSchema } from './with-schema.ts';

/** A class of identities: what is left out of `identity` may be anything. */
export interface Role {
  readonly name: string;
  readonly identity: KnownIdentity;
}

/** A tool of the catalogue. */
export interface CatalogueRow {
  readonly facts: ToolFacts;
  readonly inputSchema?: JsonObject;
}

export const cellEffects = ['allowed', 'denied', 'needs approval', 'redacted', 'depends', 'unknown'] as const;

/** What one role may do with one tool. */
export interface Cell {
  readonly effect: (typeof cellEffects)[number];
  /** The rules that decide it; empty where it is denied because none allows. */
  readonly rules: readonly string[];
  /** What it depends on among the arguments: the outcome, and when. For `unknown` why. */
  readonly when: readonly Condition[];
  /** What changes it beside the arguments: earlier calls, their number, what was found in the content, the time. */
  readonly unless: readonly Condition[];
}

export interface Condition {
  readonly outcome: 'denied' | 'allowed' | 'needs approval' | 'redacted' | 'unknown';
  readonly rule: string;
  readonly words: string;
}

export interface Matrix {
  readonly roles: readonly string[];
  readonly tools: readonly { readonly server: string; readonly name: string; readonly labels: readonly string[] }[];
  /** `cells[tool][role]` */
  readonly cells: readonly (readonly Cell[])[];
}

export interface MatrixQuestion {
  readonly files: RegoFiles;
  readonly roles: readonly Role[];
  readonly tools: readonly CatalogueRow[];
  readonly environment: ToolQuestion['environment'];
}

/**
 * Who may do what: every role with every tool, for all arguments, by partial evaluation of the rules. An answer is proved; where one cannot be
 * had it says so.
 * @throws GatewayError `policy.invalid` when the release does not compile
 */
export async function whoMayDoWhat(rego: RegoTools, { files, roles, tools, environment }: MatrixQuestion): Promise<Matrix> {
  const questions = tools.flatMap(({ facts }) =>
    roles.map(({ identity }) => ({ identity, tool: facts, environment, given: { approval: null } })),
  );
  const [sample] = questions;
  const names = {
    roles: roles.map(({ name }) => name),
    tools: tools.map(({ facts: { server, name, labels } }) => ({ server, name, labels })),
  };
  if (sample === undefined) return { ...names, cells: tools.map(() => []) };
  const book = await readRuleBook(rego, files, JSON.stringify(wholeInput(sample)));
  const verdicts = book.obstacle === undefined ? await verdictsOf(rego, book, questions) : [];
  const cells = tools.map(({ inputSchema }, row) =>
    roles.map((_, column) => cellOf(book, verdicts[row * roles.length + column], inputSchema)),
  );
  return { ...names, cells };
}

const outcomeOf: Readonly<Record<DecidingSet, Condition['outcome']>> = {
  deny: 'denied',
  allow: 'allowed',
  require_approval: 'needs approval',
  redact: 'redacted',
  limit: 'denied',
};

function cellOf(book: RuleBook, verdict: Verdict | undefined, schema: JsonObject | undefined): Cell {
  if (verdict === undefined) {
    const words = book.obstacle ?? 'it was not analysed';
    return { effect: 'unknown', rules: [], when: [{ outcome: 'unknown', rule: '', words }], unless: [] };
  }
  const parts = verdict.contributions
    .map((one) => ({ ...one, formula: withSchema(one.formula, schema) }))
    .filter((one) => one.formula.op !== 'false');
  const sure = (set: DecidingSet): readonly string[] =>
    parts.filter((one) => one.set === set && one.formula.op === 'true').map(({ rule }) => rule);
  const maybe = (set: DecidingSet): readonly SplitCondition[] => parts.filter((one) => one.set === set).flatMap((one) => conditionsOf(one));
  const denied = sure('deny');
  if (denied.length > 0) return { effect: 'denied', rules: denied, when: [], unless: [] };
  if (!parts.some(({ set }) => set === 'allow')) return { effect: 'denied', rules: [], when: [], unless: [] };
  const [refusals, allowances, approvals, changes] = [maybe('deny'), maybe('allow'), maybe('require_approval'), maybe('redact')];
  const allowed = sure('allow');
  const [held, changed] = [sure('require_approval'), sure('redact')];
  // Weaker effects matter only where no stronger one is certain.
  const counted = parts.filter(({ set }) => set === 'limit').map(limitCondition);
  const relevant = [
    ...refusals,
    ...counted,
    ...(allowed.length > 0 ? [] : allowances),
    ...(held.length > 0 ? [] : [...approvals, ...(changed.length > 0 ? [] : changes)]),
  ];
  const when = relevant.filter((one) => one.isOfArguments || (one.outcome === 'allowed' && allowed.length === 0)).map(plain);
  const unless = relevant.filter((one) => !one.isOfArguments && !(one.outcome === 'allowed' && allowed.length === 0)).map(plain);
  const [base, rules] =
    held.length > 0
      ? (['needs approval', held] as const)
      : changed.length > 0
        ? (['redacted', changed] as const)
        : (['allowed', allowed] as const);
  if (parts.some(({ formula }) => isFault(formula))) return { effect: 'unknown', rules, when, unless };
  return {
    effect: when.length > 0 ? 'depends' : base,
    rules,
    when: when.length > 0 ? [...when, otherwise(base, allowed.length > 0)] : [],
    unless,
  };
}

/** What holds where no condition does. */
function otherwise(base: 'needs approval' | 'redacted' | 'allowed', isAllowed: boolean): Condition {
  return { outcome: isAllowed ? base : 'denied', rule: '', words: 'otherwise' };
}

interface SplitCondition extends Condition {
  readonly isOfArguments: boolean;
}

/** One condition for what the arguments decide, one for the rest; what may read anything counts as the arguments. */
function conditionsOf({ rule, set, formula }: Verdict['contributions'][number]): SplitCondition[] {
  if (formula.op === 'true') return [];
  const split = new Map<boolean, Formula[]>();
  for (const part of alternativesOf(formula)) {
    const roots = rootsOf(part);
    const isOfArguments = roots === null || [...roots].every((root) => root === 'arguments');
    split.set(isOfArguments, [...(split.get(isOfArguments) ?? []), part]);
  }
  return [...split].map(([isOfArguments, of]) => ({ outcome: outcomeOf[set], rule, words: inWords({ op: 'or', of }), isOfArguments }));
}

/** A counted limit refuses once it is used up, whatever else. */
function limitCondition({ rule, formula }: Verdict['contributions'][number]): SplitCondition {
  const words = formula.op === 'true' ? 'its limit is used up' : `its limit is used up, where ${inWords(formula)}`;
  return { outcome: 'denied', rule, words, isOfArguments: false };
}

function plain({ outcome, rule, words }: SplitCondition): Condition {
  return { outcome, rule, words };
}

/** What partial evaluation itself could not do. */
function isFault(formula: Formula): boolean {
  return formula.op === 'opaque' && formula.isFault === true;
}

/** A cell that differs between two revisions. `null` where a role or tool is in one of them only. */
export interface CellChange {
  readonly role: string;
  readonly server: string;
  readonly tool: string;
  readonly before: Cell | null;
  readonly after: Cell | null;
}

/** The cells that differ, in the order of the second matrix. */
export function changedCells(before: Matrix, after: Matrix): readonly CellChange[] {
  const [old, now] = [cellsByKey(before), cellsByKey(after)];
  return [...new Set([...now.keys(), ...old.keys()])].flatMap((key) => {
    const [role = '', server = '', tool = ''] = JSON.parse(key) as string[];
    const [was, is] = [old.get(key) ?? null, now.get(key) ?? null];
    return JSON.stringify(was) === JSON.stringify(is) ? [] : [{ role, server, tool, before: was, after: is }];
  });
}

function cellsByKey({ roles, tools, cells }: Matrix): ReadonlyMap<string, Cell> {
  return new Map(
    tools.flatMap(({ server, name }, row) =>
      roles.flatMap((role, column) => {
        const cell = cells[row]?.[column];
        return cell === undefined ? [] : [[JSON.stringify([role, server, name]), cell] as const];
      }),
    ),
  );
}

/** The roles that the release's own data names: one for each group of `grants`, and somebody in none. */
export function rolesOfData(data: string): readonly Role[] {
  const grants = (JSON.parse(data) as { grants?: unknown }).grants;
  const groups = typeof grants === 'object' && grants !== null ? Object.keys(grants) : [];
  return [
    ...groups.map((group) => ({ name: group, identity: { groups: [group], kind: 'user' as const } })),
    { name: '(no group)', identity: { groups: [], kind: 'user' } },
  ];
}
