import type { Json } from '../model/json.ts';

/** How one value of the input is compared. Each is false where the value is not there. */
export type Test = 'defined' | 'truthy' | 'oneOf' | 'less' | 'atMost' | 'more' | 'atLeast' | 'startsWith' | 'contains' | 'isString';

/** A comparison of the value at `path` (steps below `input`) with constants. */
export interface Atom {
  readonly test: Test;
  readonly path: readonly string[];
  /** For `oneOf` all values; for the others the one value; none for `defined`, `truthy`, `isString`. */
  readonly values: readonly Json[];
}

/** What is left of rules when all that is known has been put in: a condition on the rest of the input. */
export type Formula =
  | { readonly op: 'true' | 'false' }
  | { readonly op: 'and' | 'or'; readonly of: readonly Formula[] }
  | { readonly op: 'is' | 'isNot'; readonly atom: Atom }
  /** A condition that is not understood; `text` is Rego. */
  | {
      readonly op: 'opaque' | 'notOpaque';
      readonly text: string;
      /** Two conditions are the same where this is: the text does not tell variables apart. */
      readonly key: string;
      readonly reads: readonly (readonly string[])[] | null;
      /** Paths without which an `opaque` condition cannot hold. */
      readonly needs?: readonly (readonly string[])[];
      /** Nothing was found out at all: partial evaluation failed. */
      readonly isFault?: boolean;
    };

export const always: Formula = { op: 'true' };
export const never: Formula = { op: 'false' };

/** All of `parts`. */
export function and(parts: readonly Formula[]): Formula {
  return join('and', 'true', 'false', parts);
}

/** Any of `parts`. */
export function or(parts: readonly Formula[]): Formula {
  return join('or', 'false', 'true', parts);
}

function join(op: 'and' | 'or', neutral: 'true' | 'false', final: 'true' | 'false', parts: readonly Formula[]): Formula {
  const flat = parts.flatMap((part) => (part.op === op ? part.of : part.op === neutral ? [] : [part]));
  if (flat.some((part) => part.op === final)) return { op: final };
  const seen = new Map(flat.map((part) => [JSON.stringify(part), part]));
  const [only] = seen.values();
  return only === undefined ? { op: neutral } : seen.size === 1 ? only : { op, of: [...seen.values()] };
}

/** The opposite, with the negation at the leaves. */
export function not(formula: Formula): Formula {
  switch (formula.op) {
    case 'true':
      return never;
    case 'false':
      return always;
    case 'and':
      return or(formula.of.map(not));
    case 'or':
      return and(formula.of.map(not));
    case 'is':
      return { op: 'isNot', atom: formula.atom };
    case 'isNot':
      return { op: 'is', atom: formula.atom };
    case 'opaque':
      return { ...formula, op: 'notOpaque' };
    case 'notOpaque':
      return { ...formula, op: 'opaque' };
    default:
      return formula satisfies never;
  }
}

/** The formula with each leaf put through `leaf`; what it gives `undefined` for stays. */
export function rewrite(formula: Formula, leaf: (leaf: Formula) => Formula | undefined): Formula {
  if (formula.op === 'and') return and(formula.of.map((part) => rewrite(part, leaf)));
  if (formula.op === 'or') return or(formula.of.map((part) => rewrite(part, leaf)));
  return leaf(formula) ?? formula;
}

/** The top-level keys of the input that the formula depends on; `null` where that may be anything. */
export function rootsOf(formula: Formula): ReadonlySet<string> | null {
  const roots = leavesOf(formula).map(leafRoots);
  return roots.includes(null) ? null : new Set((roots as (readonly string[])[]).flat());
}

function leavesOf(formula: Formula): readonly Formula[] {
  return formula.op === 'and' || formula.op === 'or' ? formula.of.flatMap(leavesOf) : [formula];
}

function leafRoots(leaf: Formula): readonly string[] | null {
  const paths =
    leaf.op === 'is' || leaf.op === 'isNot' ? [leaf.atom.path] : leaf.op === 'opaque' || leaf.op === 'notOpaque' ? leaf.reads : [];
  if (paths === null || paths.some((path) => path.length === 0)) return null;
  return paths.map(([root = '']) => root);
}

/** The alternatives of a formula: itself where it is not an `or`. */
export function alternativesOf(formula: Formula): readonly Formula[] {
  return formula.op === 'or' ? formula.of : formula.op === 'false' ? [] : [formula];
}
