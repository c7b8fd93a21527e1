import { always, and, never, not, or, type Atom, type Formula, type Test } from './formula.ts';
import {
  constantOf,
  inputPath,
  isTerm,
  membersOf,
  operatorName,
  readsOf,
  regoText,
  stepsOf,
  variablesOf,
  type Expression,
  type Term,
} from './rego-term.ts';
import type { RuleResidue } from './rego-tools.ts';

/** Rules that partial evaluation made up (`not` and helpers leave such): path to the bodies, any of which makes it true. */
type Support = ReadonlyMap<string, readonly (readonly Expression[])[] | 'opaque'>;

const maxDepth = 8;

/**
 * When the rule set has a member, as a condition on what is not known. Exact where a condition is of a form that is understood, opaque where it
 * is not; an error is opaque too and reads anything. Whether the member itself (a message made of arguments, say) can be computed counts.
 */
export function formulaOf(residue: RuleResidue): Formula {
  switch (residue.outcome) {
    case 'never':
      return never;
    case 'always':
      return always;
    case 'error':
      return unanalysed(residue.errors?.[0]?.message ?? 'it cannot be analysed', residue.query);
    case 'residual': {
      const support = supportOf(residue.support ?? []);
      return or((residue.residual ?? []).map(({ ast, text }) => bodyFormula(ast, text, support, 0)));
    }
    default:
      return residue.outcome satisfies never;
  }
}

function supportOf(fragments: NonNullable<RuleResidue['support']>): Support {
  const found = new Map<string, (readonly Expression[])[] | 'opaque'>();
  for (const { ast } of fragments) {
    const module = ast as SupportModule | undefined;
    const folder = module?.package.path.map((step) => String(step.value)).join('.') ?? '';
    for (const rule of module?.rules ?? []) {
      const path = `${folder}.${(rule.head.ref ?? []).map((step) => String(step.value)).join('.')}`;
      const isPlain =
        rule.default !== true &&
        rule.else === undefined &&
        rule.head.args === undefined &&
        rule.head.key === undefined &&
        (rule.head.value === undefined ||
          (isTerm(rule.head.value) && rule.head.value.type === 'boolean' && rule.head.value.value === true));
      const known = found.get(path);
      if (!isPlain || known === 'opaque') found.set(path, 'opaque');
      else found.set(path, [...(known ?? []), rule.body]);
    }
  }
  return found;
}

interface SupportModule {
  readonly package: { readonly path: readonly Term[] };
  readonly rules?: readonly {
    readonly default?: boolean;
    readonly else?: unknown;
    readonly head: { readonly ref?: readonly Term[]; readonly args?: unknown; readonly key?: unknown; readonly value?: unknown };
    readonly body: readonly Expression[];
  }[];
}

/** A conjunction. What shares a variable is one condition (there is a value for which all of it holds) and stays opaque. */
function bodyFormula(ast: unknown, text: string, support: Support, depth: number): Formula {
  if (!Array.isArray(ast) || depth > maxDepth) return { op: 'opaque', text, key: `${depth} ${text} ${JSON.stringify(ast)}`, reads: null };
  const answer = withoutAnswer(ast as readonly Expression[]);
  const body = answer.rest;
  const uses = new Map<string, number>();
  for (const expression of body) for (const name of variablesOf(expression)) uses.set(name, (uses.get(name) ?? 0) + 1);
  const parts: Formula[] = [...answer.conditions];
  const joined: Expression[] = [];
  for (const expression of body) {
    const names = variablesOf(expression);
    const isAlone = [...names].every((name) => uses.get(name) === 1);
    const found = names.size === 0 ? expressionFormula(expression, support, depth) : isAlone ? containsFormula(expression) : undefined;
    if (found === undefined) joined.push(expression);
    else parts.push(found);
  }
  if (joined.length > 0) parts.push(opaque(joinedText(joined), joined));
  return and(parts);
}

/** Without what only makes a message: of that the calls that may have no value. */
function joinedText(joined: readonly Expression[]): string {
  const texts = joined.flatMap((expression) => {
    const defined = definition(expression);
    if (defined === undefined) return [regoText(expression)];
    return isTerm(defined.term) && (defined.term.type === 'object' || defined.term.type === 'call')
      ? openCalls(defined.term)
      : [regoText(expression)];
  });
  const distinct = [...new Set(texts)];
  return (distinct.length === 0 ? joined.map(regoText) : distinct).join('; ');
}

function openCalls(node: unknown): string[] {
  if (Array.isArray(node)) return node.flatMap(openCalls);
  if (typeof node !== 'object' || node === null) return [];
  if (isTerm(node) && node.type === 'call' && Array.isArray(node.value)) {
    const terms = node.value as readonly Term[];
    if (!((operatorName(terms[0]) ?? '') in messageBuiltins)) return [regoText({ terms })];
  }
  return Object.values(node).flatMap(openCalls);
}

/**
 * Takes out what only computes the member: `_ = {"message": sprintf(…)}` and `_`. What has to hold for the computing to succeed comes in its
 * place; where that is not known, the expressions stay.
 */
function withoutAnswer(body: readonly Expression[]): { readonly rest: readonly Expression[]; readonly conditions: readonly Formula[] } {
  const computed = new Map<string, Term>();
  const computing = new Set<Expression>();
  for (const expression of body) {
    const defined = definition(expression);
    if (defined === undefined) continue;
    const before = computed.get(defined.name);
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(defined.term)) return { rest: body, conditions: [] };
    computed.set(defined.name, defined.term);
    computing.add(expression);
  }
  const bare = body.filter(({ terms, negated }) => negated !== true && isTerm(terms) && terms.type === 'var');
  const rest = body.filter((expression) => !computing.has(expression) && !bare.includes(expression));
  const isUsedElsewhere = rest.some((expression) => [...variablesOf(expression)].some((name) => computed.has(name)));
  if (isUsedElsewhere) return { rest: body, conditions: [] };
  const conditions: Formula[] = [];
  for (const term of computed.values()) {
    const needed = neededFor(term, computed);
    if (needed === undefined) return { rest: body, conditions: [] };
    conditions.push(...needed);
  }
  for (const { terms } of bare) {
    const term = computed.get(String((terms as Term).value));
    // A reference could be to `false`, which is no member that counts.
    if (term === undefined || term.type === 'ref' || term.type === 'var' || term.type === 'boolean') return { rest: body, conditions: [] };
  }
  return { rest, conditions };
}

/** `x = term` and `f(…, x)`, with an x that was made up. */
function definition({ terms, negated, with: modifiers }: Expression): { readonly name: string; readonly term: Term } | undefined {
  if (negated === true || (modifiers ?? []).length > 0 || !Array.isArray(terms)) return undefined;
  const [operator, ...operands] = terms as readonly Term[];
  const name = operatorName(operator);
  if (operator === undefined || name === undefined) return undefined;
  if (name === 'eq') {
    const [left, right] = operands;
    if (left?.type === 'var' && right !== undefined) return { name: String(left.value), term: right };
    if (right?.type === 'var' && left !== undefined) return { name: String(right.value), term: left };
    return undefined;
  }
  const last = operands.at(-1);
  if (last?.type !== 'var' || !(name in messageBuiltins)) return undefined;
  return { name: String(last.value), term: { type: 'call', value: [operator, ...operands.slice(0, -1)] } };
}

/** Builtins that make messages, and what each of their operands may be. All of them succeed on such operands. */
const messageBuiltins: Readonly<Record<string, readonly ('text' | 'texts' | 'anything')[]>> = {
  sprintf: ['text', 'anything'],
  concat: ['text', 'texts'],
  'internal.template_string': ['anything'],
  'json.marshal': ['anything'],
};

/** What must hold so that `term` has a value; `undefined` where that is not known. */
function neededFor(term: Term, computed: ReadonlyMap<string, Term>, depth = 0): Formula[] | undefined {
  if (depth > maxDepth) return undefined;
  switch (term.type) {
    case 'null':
    case 'boolean':
    case 'number':
    case 'string':
    case 'setcomprehension':
    case 'arraycomprehension':
      return [];
    case 'var': {
      const known = computed.get(String(term.value));
      return known === undefined ? undefined : neededFor(known, computed, depth + 1);
    }
    case 'ref': {
      const path = inputPath(term);
      return path === undefined ? undefined : [is('defined', path)];
    }
    case 'array':
    case 'set':
      return all((term.value as readonly Term[]).map((item) => neededFor(item, computed, depth + 1)));
    case 'object':
      return all((term.value as readonly (readonly [Term, Term])[]).flat().map((item) => neededFor(item, computed, depth + 1)));
    case 'call':
      return neededForCall(term.value as readonly Term[], computed, depth);
    default:
      return undefined;
  }
}

function neededForCall(
  [operator, ...operands]: readonly Term[],
  computed: ReadonlyMap<string, Term>,
  depth: number,
): Formula[] | undefined {
  const kinds = messageBuiltins[operatorName(operator) ?? ''];
  if (kinds?.length !== operands.length) return undefined;
  return all(
    operands.map((operand, index) => {
      const kind = kinds[index];
      if (kind === 'text') return operand.type === 'string' ? [] : undefined;
      if (operand.type !== 'array' && kind !== 'anything') return undefined;
      if (operatorName(operator) === 'sprintf' && operand.type !== 'array') return undefined;
      return kind === 'texts' ? all((operand.value as readonly Term[]).map(neededForText)) : neededFor(operand, computed, depth + 1);
    }),
  );
}

function neededForText(term: Term): Formula[] | undefined {
  if (term.type === 'string') return [];
  const path = inputPath(term);
  return path === undefined ? undefined : [is('isString', path)];
}

function all(parts: readonly (Formula[] | undefined)[]): Formula[] | undefined {
  return parts.includes(undefined) ? undefined : (parts as Formula[][]).flat();
}

/** `input.identity.groups[_] == "finance"`: the list has it. */
function containsFormula({ terms, negated, with: modifiers }: Expression): Formula | undefined {
  if (negated === true || (modifiers ?? []).length > 0 || !Array.isArray(terms)) return undefined;
  const [operator, left, right, ...more] = terms as readonly Term[];
  if (operatorName(operator) !== 'eq' || left === undefined || right === undefined || more.length > 0) return undefined;
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    const steps = stepsOf(one);
    const value = constantOf(other);
    if (steps?.at(-1)?.type !== 'var' || value === undefined) continue;
    const path = inputPath({ type: 'ref', value: steps.slice(0, -1) });
    if (path !== undefined) return is('contains', path, [value]);
  }
  return undefined;
}

function expressionFormula(expression: Expression, support: Support, depth: number): Formula {
  const plain: Expression = { ...expression, negated: false };
  const positive =
    ((expression.with ?? []).length > 0 ? undefined : positiveFormula(plain, support, depth)) ?? opaque(regoText(plain), [plain]);
  return expression.negated === true ? not(positive) : positive;
}

const mirrored: Readonly<Record<string, string>> = { lt: 'gt', lte: 'gte', gt: 'lt', gte: 'lte', eq: 'eq', equal: 'equal', neq: 'neq' };
const orders: Readonly<Record<string, Test>> = { lt: 'less', lte: 'atMost', gt: 'more', gte: 'atLeast' };

function positiveFormula({ terms }: Expression, support: Support, depth: number): Formula | undefined {
  if (isTerm(terms)) return termFormula(terms, support, depth);
  if (!Array.isArray(terms)) return undefined;
  const [operator, left, right, ...more] = terms as readonly Term[];
  const name = operatorName(operator);
  if (name === undefined || left === undefined || right === undefined || more.length > 0) return undefined;
  if (name === 'internal.member_2') return memberFormula(left, right);
  const path = inputPath(left);
  if (name === 'startswith') {
    const prefix = constantOf(right);
    return path !== undefined && typeof prefix === 'string' ? is('startsWith', path, [prefix]) : undefined;
  }
  if (!(name in mirrored)) return undefined;
  if (path !== undefined) return comparison(name, path, right);
  const other = inputPath(right);
  return other === undefined ? undefined : comparison(mirrored[name] ?? '', other, left);
}

function comparison(name: string, path: readonly string[], operand: Term): Formula | undefined {
  const value = constantOf(operand);
  if (value === undefined) return undefined;
  if (name === 'eq' || name === 'equal') return is('oneOf', path, [value]);
  if (name === 'neq') return and([is('defined', path), not(is('oneOf', path, [value]))]);
  const test = orders[name];
  // Text is ordered by bytes in Rego and by UTF-16 here, so only numbers are understood.
  return test === undefined || typeof value !== 'number' ? undefined : is(test, path, [value]);
}

function memberFormula(item: Term, collection: Term): Formula | undefined {
  const path = inputPath(item);
  const members = membersOf(collection);
  if (path !== undefined && members !== undefined) return is('oneOf', path, members);
  const list = inputPath(collection);
  const value = constantOf(item);
  return list !== undefined && value !== undefined ? is('contains', list, [value]) : undefined;
}

function termFormula(term: Term, support: Support, depth: number): Formula | undefined {
  if (term.type === 'boolean') return term.value === true ? always : never;
  const path = inputPath(term);
  if (path !== undefined) return is('truthy', path);
  const [root, ...steps] = stepsOf(term) ?? [];
  if (root?.value !== 'data' || steps.some((step) => step.type !== 'string')) return undefined;
  const bodies = support.get(['data', ...steps.map((step) => String(step.value))].join('.'));
  if (bodies === undefined || bodies === 'opaque') return undefined;
  return or(bodies.map((body) => bodyFormula(body, body.map(regoText).join('; '), support, depth + 1)));
}

function is(test: Test, path: readonly string[], values: Atom['values'] = []): Formula {
  return { op: 'is', atom: { test, path, values } };
}

function opaque(text: string, body: readonly Expression[]): Formula {
  const { paths, isOpen } = readsOf(body);
  const needs = body.filter(({ negated, with: modifiers }) => negated !== true && (modifiers ?? []).length === 0).flatMap(neededPaths);
  // A clock or another builtin without operands reads nothing that is named here, and still is not constant.
  const reads = isOpen || paths.length === 0 ? null : paths;
  return { op: 'opaque', text, key: sameVariables(body), reads, ...(needs.length === 0 ? {} : { needs }) };
}

/** Nothing is known of `what`: it may be true or not, whatever anything else is. */
export function unanalysed(why: string, what: string): Formula {
  return { op: 'opaque', text: why, key: what, reads: null, isFault: true };
}

/** The expressions as text in which variables are numbered as they come, so that only their names make no difference. */
function sameVariables(body: readonly Expression[]): string {
  const numbers = new Map<string, number>();
  return JSON.stringify(body, (name, value: unknown) => {
    if (name === 'index' || name === 'location') return undefined;
    if (!isTerm(value) || value.type !== 'var' || !/^(\$|__local)/.test(String(value.value))) return value;
    const text = String(value.value);
    numbers.set(text, numbers.get(text) ?? numbers.size);
    return { type: 'var', value: numbers.get(text) };
  });
}

/** An expression has no value where an operand has none; inside of a comprehension or of `every` that is not so. */
function neededPaths({ terms }: Expression): readonly (readonly string[])[] {
  const isStrict = (node: unknown): boolean => {
    if (Array.isArray(node)) return node.every(isStrict);
    if (typeof node !== 'object' || node === null) return true;
    return !(isTerm(node) && node.type.endsWith('comprehension')) && Object.values(node).every(isStrict);
  };
  return (Array.isArray(terms) || isTerm(terms)) && isStrict(terms) ? readsOf(terms).paths : [];
}
