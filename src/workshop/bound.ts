import { canonical } from '../model/digest.ts';
import type { Json } from '../model/json.ts';
import type { Atom, Formula } from './formula.ts';

export interface Limit {
  readonly value: number;
  readonly isExclusive: boolean;
}

/**
 * What a value must fit, each member by itself: `oneOf` and `except` speak of every value, `min` and `max` of numbers only, `prefixes` of text
 * only. An empty bound lets everything through.
 */
export interface Bound {
  readonly oneOf?: readonly Json[];
  readonly except?: readonly Json[];
  readonly min?: Limit;
  readonly max?: Limit;
  /** Text starts with one of them. */
  readonly prefixes?: readonly string[];
}

/** What is known of the arguments from the tool's own schema, which every call fits before policy sees it. */
export interface ArgumentFacts {
  /** Paths (joined by `canonical`) of arguments that are always there. */
  readonly required: ReadonlySet<string>;
  /** Paths of arguments that are text where they are there. */
  readonly texts: ReadonlySet<string>;
}

const open: Bound = {};

/**
 * A bound that the value at `path` fits whenever `formula` holds and the value is there; `none` where no value at all can make it hold. It is
 * never too narrow: what is not understood bounds nothing.
 */
export function boundOf(formula: Formula, path: readonly string[], facts: ArgumentFacts): Bound | 'none' {
  switch (formula.op) {
    case 'false':
      return 'none';
    case 'true':
    case 'opaque':
    case 'notOpaque':
      return open;
    case 'and':
      return formula.of.map((part) => boundOf(part, path, facts)).reduce(both, open);
    case 'or':
      return formula.of.map((part) => boundOf(part, path, facts)).reduce(either, 'none');
    case 'is':
    case 'isNot':
      return atomBound(formula.atom, formula.op === 'isNot', path, facts);
    default:
      return formula satisfies never;
  }
}

function atomBound(atom: Atom, isNegated: boolean, path: readonly string[], facts: ArgumentFacts): Bound | 'none' {
  const { test, values } = atom;
  const key = canonical([...atom.path]);
  const isHere = key === canonical([...path]);
  const [value = null] = values;
  switch (test) {
    case 'defined':
      return isNegated && (isHere || facts.required.has(key)) ? 'none' : open;
    case 'isString':
      return isNegated && facts.texts.has(key) && (isHere || facts.required.has(key)) ? 'none' : open;
    case 'truthy':
      if (!isHere) return open;
      return isNegated ? { oneOf: [false] } : { except: [false] };
    case 'oneOf':
      if (!isHere) return open;
      return isNegated ? { except: values } : { oneOf: values };
    case 'startsWith':
      return isHere && !isNegated && typeof value === 'string' ? { prefixes: [value] } : open;
    case 'less':
    case 'atMost':
    case 'more':
    case 'atLeast':
      return isHere && typeof value === 'number' ? rangeBound(test, isNegated, value) : open;
    case 'contains':
      return open;
    default:
      return test satisfies never;
  }
}

/** Rego orders values of different types, and a number before text; so nothing is said here of what is no number. */
function rangeBound(test: 'less' | 'atMost' | 'more' | 'atLeast', isNegated: boolean, value: number): Bound {
  const isUpper = (test === 'less' || test === 'atMost') !== isNegated;
  const isExclusive = (test === 'less' || test === 'more') !== isNegated;
  return isUpper ? { max: { value, isExclusive } } : { min: { value, isExclusive } };
}

/** Both hold. */
function both(left: Bound | 'none', right: Bound | 'none'): Bound | 'none' {
  if (left === 'none' || right === 'none') return 'none';
  const oneOf = left.oneOf && right.oneOf ? left.oneOf.filter((value) => has(right.oneOf ?? [], value)) : (left.oneOf ?? right.oneOf);
  if (oneOf?.length === 0) return 'none';
  const except = [...(left.except ?? []), ...(right.except ?? [])];
  const min = tighter(left.min, right.min, (a, b) => a > b);
  const max = tighter(left.max, right.max, (a, b) => a < b);
  const prefixes = narrowed(left.prefixes, right.prefixes);
  return make({ oneOf, except: except.length === 0 ? undefined : except, min, max, prefixes });
}

/** One of them holds. */
function either(left: Bound | 'none', right: Bound | 'none'): Bound | 'none' {
  if (left === 'none') return right;
  if (right === 'none') return left;
  const oneOf = left.oneOf && right.oneOf && unique([...left.oneOf, ...right.oneOf]);
  const except = [...(left.except ?? []), ...(right.except ?? [])].filter((value) => !fits(left, value) && !fits(right, value));
  return make({
    oneOf,
    except: except.length === 0 ? undefined : unique(except),
    min: looser(numbersOf(left, 'min'), numbersOf(right, 'min'), (a, b) => a < b),
    max: looser(numbersOf(left, 'max'), numbersOf(right, 'max'), (a, b) => a > b),
    prefixes: widened(textsOf(left), textsOf(right)),
  });
}

/** Whether a value fits a bound. */
export function fits(bound: Bound, value: Json): boolean {
  if (bound.oneOf !== undefined && !has(bound.oneOf, value)) return false;
  if (bound.except !== undefined && has(bound.except, value)) return false;
  if (typeof value === 'number') {
    const { min, max } = bound;
    if (min !== undefined && (min.isExclusive ? value <= min.value : value < min.value)) return false;
    if (max !== undefined && (max.isExclusive ? value >= max.value : value > max.value)) return false;
  }
  return typeof value !== 'string' || bound.prefixes === undefined || bound.prefixes.some((prefix) => value.startsWith(prefix));
}

/** Equality of JSON values, as Rego and JSON Schema have it. */
export function has(values: readonly Json[], value: Json): boolean {
  const text = canonical(value);
  return values.some((other) => canonical(other) === text);
}

/** The limit on numbers that a bound sets, `empty` where it lets no number through, `undefined` where any. */
function numbersOf(bound: Bound, side: 'min' | 'max'): Limit | 'empty' | undefined {
  if (bound.oneOf === undefined) return bound[side];
  const numbers = bound.oneOf.filter((value) => typeof value === 'number');
  if (numbers.length === 0) return 'empty';
  return { value: side === 'min' ? Math.min(...numbers) : Math.max(...numbers), isExclusive: false };
}

function textsOf(bound: Bound): readonly string[] | undefined {
  return bound.oneOf === undefined ? bound.prefixes : bound.oneOf.filter((value) => typeof value === 'string');
}

function tighter(left: Limit | undefined, right: Limit | undefined, isTighter: (a: number, b: number) => boolean): Limit | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  if (left.value === right.value) return left.isExclusive ? left : right;
  return isTighter(left.value, right.value) ? left : right;
}

function looser(
  left: Limit | 'empty' | undefined,
  right: Limit | 'empty' | undefined,
  isLooser: (a: number, b: number) => boolean,
): Limit | undefined {
  if (left === undefined || right === undefined) return undefined;
  if (left === 'empty') return right === 'empty' ? undefined : right;
  if (right === 'empty') return left;
  if (left.value === right.value) return left.isExclusive ? right : left;
  return isLooser(left.value, right.value) ? left : right;
}

/** Text that starts with one of each; where no text can, either list alone is still true. */
function narrowed(left: readonly string[] | undefined, right: readonly string[] | undefined): readonly string[] | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  const common = left.flatMap((one) => right.flatMap((other) => (one.startsWith(other) ? [one] : other.startsWith(one) ? [other] : [])));
  return common.length === 0 ? left : [...new Set(common)];
}

function widened(left: readonly string[] | undefined, right: readonly string[] | undefined): readonly string[] | undefined {
  if (left === undefined || right === undefined) return undefined;
  const joined = [...new Set([...left, ...right])];
  return joined.length === 0 ? undefined : joined;
}

function unique(values: readonly Json[]): readonly Json[] {
  return [...new Map(values.map((value) => [canonical(value), value])).values()];
}

function make(parts: { readonly [Key in keyof Bound]: Bound[Key] | undefined }): Bound {
  return Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined));
}
