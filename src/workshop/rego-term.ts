import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';

/** OPA's syntax tree, as far as what remains of a rule has it. */
export interface Term {
  readonly type: string;
  readonly value: unknown;
}

export interface Expression {
  readonly negated?: boolean;
  readonly with?: readonly unknown[];
  /** One term that has to be true, or an operator and its operands; an object for `every`. */
  readonly terms: Term | readonly Term[] | Readonly<Record<string, unknown>>;
}

export function isTerm(value: unknown): value is Term {
  return typeof value === 'object' && value !== null && 'type' in value && 'value' in value;
}

/** The steps of a reference, or `undefined` for another term. */
export function stepsOf(term: Term): readonly Term[] | undefined {
  return term.type === 'ref' ? (term.value as readonly Term[]) : undefined;
}

/** `input.arguments.amount` as `['arguments', 'amount']`; `undefined` where it is no reference into the input by constant keys. */
export function inputPath(term: Term): readonly string[] | undefined {
  const [root, ...steps] = stepsOf(term) ?? [];
  if (root?.value !== 'input' || root.type !== 'var' || steps.some((step) => step.type !== 'string')) return undefined;
  return steps.map((step) => step.value as string);
}

/** The name of the function that a call or an expression begins with, such as `startswith` or `internal.member_2`. */
export function operatorName(term: Term | undefined): string | undefined {
  const steps = term && stepsOf(term);
  return steps?.map((step) => String(step.value)).join('.');
}

const notConstant = Symbol('not constant');

/** The JSON value of a constant; `undefined` for what is no constant, is no JSON (a set inside a value) or is a number that JavaScript rounds. */
export function constantOf(term: Term): Json | undefined {
  const value = read(term);
  return value === notConstant ? undefined : value;
}

/** The members of a constant array, set or object (its values), as `x in …` looks at them. */
export function membersOf(term: Term): readonly Json[] | undefined {
  const items =
    term.type === 'array' || term.type === 'set'
      ? (term.value as readonly Term[])
      : term.type === 'object'
        ? (term.value as readonly (readonly [Term, Term])[]).map(([, value]) => value)
        : undefined;
  const values = items?.map(read);
  return values?.includes(notConstant) === false ? (values as Json[]) : undefined;
}

function read(term: Term): Json | typeof notConstant {
  switch (term.type) {
    case 'null':
      return null;
    case 'boolean':
    case 'string':
      return term.value as boolean | string;
    case 'number':
      return Number.isFinite(term.value) && Math.abs(term.value as number) <= Number.MAX_SAFE_INTEGER
        ? (term.value as number)
        : notConstant;
    case 'array': {
      const items = (term.value as readonly Term[]).map(read);
      return items.includes(notConstant) ? notConstant : (items as Json[]);
    }
    case 'object': {
      const pairs = (term.value as readonly (readonly [Term, Term])[]).map(([key, value]) => [read(key), read(value)] as const);
      if (pairs.some(([key, value]) => typeof key !== 'string' || value === notConstant)) return notConstant;
      return Object.fromEntries(pairs) as JsonObject;
    }
    default:
      return notConstant;
  }
}

/** What the outcome of an expression can depend on: paths into the input, and whether it reaches rules that were not evaluated. */
export interface Reads {
  readonly paths: readonly (readonly string[])[];
  /** True where it asks a rule that stayed whole, and so may read anything. */
  readonly isOpen: boolean;
}

/** Every reference under `node`, however deep. A path ends where a step is not constant. */
export function readsOf(node: unknown): Reads {
  const paths: (readonly string[])[] = [];
  let isOpen = false;
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const item of value) walk(item);
    } else if (typeof value === 'object' && value !== null) {
      const [root, ...steps] = isTerm(value) ? (stepsOf(value) ?? []) : [];
      if (root?.value === 'input' && root.type === 'var') {
        const end = steps.findIndex((step) => step.type !== 'string');
        paths.push((end < 0 ? steps : steps.slice(0, end)).map((step) => step.value as string));
      } else if (root?.value === 'data' && root.type === 'var') isOpen = true;
      for (const item of Object.values(value)) walk(item);
    }
  };
  walk(node);
  return { paths, isOpen };
}

/** Names of the variables under `node`, except the roots of documents and names of functions. */
export function variablesOf(node: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  const walk = (value: unknown, isHead: boolean): void => {
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) walk(item, isHead && index === 0);
    } else if (typeof value === 'object' && value !== null) {
      const { type, value: inner } = value as { type?: unknown; value?: unknown };
      if (type === 'var') {
        if (!isHead || String(inner).startsWith('$') || String(inner).startsWith('__local')) names.add(String(inner));
      } else if (type === 'ref') walk(inner, true);
      else for (const item of Object.values(value)) walk(item, false);
    }
  };
  walk(node, false);
  names.delete('input');
  names.delete('data');
  return names;
}

const infix: Readonly<Record<string, string>> = {
  eq: '==',
  equal: '==',
  neq: '!=',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
  plus: '+',
  minus: '-',
  mul: '*',
  div: '/',
  rem: '%',
  'internal.member_2': 'in',
};

/** The expression as one would write it in Rego; generated variables are `_`. */
export function regoText(expression: Expression): string {
  const { negated, terms } = expression;
  const text = Array.isArray(terms)
    ? callText(terms as readonly Term[])
    : isTerm(terms)
      ? termText(terms)
      : everyText(terms as Readonly<Record<string, unknown>>);
  return `${negated === true ? 'not ' : ''}${text}${(expression.with ?? []).length > 0 ? ' with …' : ''}`;
}

function callText(terms: readonly Term[]): string {
  const [operator, ...operands] = terms;
  const name = operatorName(operator) ?? '?';
  const sign = infix[name];
  const [left, right] = operands;
  if (sign !== undefined && left !== undefined && right !== undefined && operands.length === 2)
    return `${termText(left)} ${sign} ${termText(right)}`;
  return `${name}(${operands.map(termText).join(', ')})`;
}

function termText(term: Term): string {
  switch (term.type) {
    case 'var':
      return /^(\$|__local)/.test(String(term.value)) ? '_' : String(term.value);
    case 'ref':
      return refText(term.value as readonly Term[]);
    case 'array':
      return `[${(term.value as readonly Term[]).map(termText).join(', ')}]`;
    case 'set':
      return `{${(term.value as readonly Term[]).map(termText).join(', ')}}`;
    case 'object':
      return `{${(term.value as readonly (readonly [Term, Term])[]).map(([key, value]) => `${termText(key)}: ${termText(value)}`).join(', ')}}`;
    case 'call':
      return callText(term.value as readonly Term[]);
    default:
      return isJsonObject(term.value) ? `<${term.type}>` : JSON.stringify(term.value);
  }
}

function refText([root, ...steps]: readonly Term[]): string {
  let text = root === undefined ? '' : termText(root);
  for (const step of steps) {
    text += step.type === 'string' && /^[A-Za-z_]\w*$/.test(String(step.value)) ? `.${String(step.value)}` : `[${termText(step)}]`;
  }
  return text;
}

function everyText({ domain, body }: Readonly<Record<string, unknown>>): string {
  const inner = Array.isArray(body) ? (body as readonly Expression[]).map(regoText).join('; ') : '…';
  return `every _ in ${isTerm(domain) ? termText(domain) : '…'} { ${inner} }`;
}
