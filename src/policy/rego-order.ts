import type { RegoObject, RegoSet, RegoValue } from './rego-value.ts';

/** OPA's order of all values: null, booleans, numbers, strings by their bytes, arrays, objects, sets. Negative where `a` comes first. */
export function compareRego(a: RegoValue, b: RegoValue): number {
  const [rankA, rankB] = [rank(a), rank(b)];
  if (rankA !== rankB) return rankA - rankB;
  if (a === null || b === null) return 0;
  if (typeof a === 'boolean') return Number(a) - Number(b);
  if (typeof a === 'string') return compareText(a, b as string);
  if (isArray(a)) return compareLists(a, b as readonly RegoValue[]);
  if (a.kind === 'number') return compareNumbers(a.text, (b as typeof a).text);
  if (a.kind === 'set') return compareLists(sortedItems(a), sortedItems(b as RegoSet));
  return compareLists(sortedEntries(a).flat(), sortedEntries(b as RegoObject).flat());
}

/** The items of a set in OPA's order. */
export function sortedItems(set: RegoSet): readonly RegoValue[] {
  return [...set.items].sort(compareRego);
}

/** Keys and values of an object in OPA's order. */
export function sortedEntries(object: RegoObject): (readonly [RegoValue, RegoValue])[] {
  return [...object.entries].sort(([a], [b]) => compareRego(a, b));
}

/** TypeScript does not narrow to a readonly array by itself. */
export const isArray = (value: RegoValue): value is readonly RegoValue[] => Array.isArray(value);

function rank(value: RegoValue): number {
  if (value === null) return 0;
  if (typeof value === 'boolean') return 1;
  if (typeof value === 'string') return 3;
  if (isArray(value)) return 4;
  return { number: 2, object: 5, set: 6 }[value.kind];
}

function compareLists(a: readonly RegoValue[], b: readonly RegoValue[]): number {
  for (let index = 0; index < a.length && index < b.length; index++) {
    const order = compareRego(a[index] as RegoValue, b[index] as RegoValue);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** By code points, which is the order of their UTF-8; JavaScript's own is that of UTF-16, where a surrogate comes before U+FFFF. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return isSurrogate(left) === isSurrogate(right) ? left - right : isSurrogate(left) ? 1 : -1;
  }
  return a.length - b.length;
}

const isSurrogate = (code: number): boolean => code >= 0xd800 && code < 0xe000;

function compareNumbers(a: string, b: string): number {
  const [left, right] = [Number(a), Number(b)];
  // Two decimals that round to different doubles lie as these do; infinite ones are beyond what a double holds.
  if (left !== right) return left - right;
  if (Number.isSafeInteger(left)) return 0;
  const [x, y] = [decimal(a), decimal(b)];
  const exponent = Math.min(x.exponent, y.exponent);
  const difference = x.digits * 10n ** BigInt(x.exponent - exponent) - y.digits * 10n ** BigInt(y.exponent - exponent);
  return difference === 0n ? 0 : difference > 0n ? 1 : -1;
}

function decimal(text: string): { digits: bigint; exponent: number } {
  const [mantissa = '', power = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return { digits: BigInt(whole + fraction), exponent: Number(power) - fraction.length };
}
