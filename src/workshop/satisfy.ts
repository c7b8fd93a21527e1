import { canonical } from '../model/digest.ts';
import { isJsonObject, valueAt, type Json, type JsonObject } from '../model/json.ts';
import { has } from './bound.ts';
import type { Atom, Formula } from './formula.ts';

/** One way in which a formula can hold: all of these leaves. */
export type Clause = readonly Formula[];

const maxClauses = 400;

/** The ways in which a formula can hold; `undefined` where they are too many to look at. */
export function clausesOf(formula: Formula, domain: Domain = anything): readonly Clause[] | undefined {
  switch (formula.op) {
    case 'true':
      return [[]];
    case 'false':
      return [];
    case 'or': {
      const parts = formula.of.map((part) => clausesOf(part, domain));
      if (parts.includes(undefined)) return undefined;
      const all = (parts as (readonly Clause[])[]).flat();
      return all.length > maxClauses ? undefined : all;
    }
    case 'and': {
      let all: readonly Clause[] = [[]];
      for (const part of formula.of) {
        const ways = clausesOf(part, domain);
        if (ways === undefined) return undefined;
        // What contradicts itself is dropped on the way, or nothing would stay small.
        all = all.flatMap((clause) => ways.map((way) => [...clause, ...way])).filter((clause) => !isContradictory(clause, domain));
        if (all.length > maxClauses) return undefined;
      }
      return all;
    }
    default:
      return isContradictory([formula], domain) ? [] : [[formula]];
  }
}

/** What is known of the values that the input can have at a path, such as from a tool's own schema. */
export interface Domain {
  /** Every value that can be there, where they can be listed. */
  values(path: readonly string[]): readonly Json[] | undefined;
  admits(path: readonly string[], value: Json): boolean;
}

const anything: Domain = { values: () => undefined, admits: () => true };

/** Whether no input at all can make every leaf true. `false` says nothing: it may still be so. */
export function isContradictory(clause: Clause, domain: Domain = anything): boolean {
  const texts = new Set(clause.map((leaf) => JSON.stringify(leaf)));
  return clause.some((leaf) => {
    if (leaf.op === 'opaque') return texts.has(JSON.stringify({ ...leaf, op: 'notOpaque' }));
    if (leaf.op !== 'is') return false;
    if (texts.has(JSON.stringify({ ...leaf, op: 'isNot' }))) return true;
    const others = clause.filter((other) => (other.op === 'is' || other.op === 'isNot') && isSamePath(other.atom, leaf.atom));
    // Whatever is compared is there; a value that is one of a few can be tried.
    if (others.some((other) => other.op === 'isNot' && other.atom.test === 'defined')) return true;
    const possible = leaf.atom.test === 'oneOf' ? leaf.atom.values : domain.values(leaf.atom.path);
    const isFit = (value: Json): boolean => domain.admits(leaf.atom.path, value) && others.every((other) => leafHolds(other, value));
    return possible !== undefined && !possible.some(isFit);
  });
}

function isSamePath(left: Atom, right: Atom): boolean {
  return canonical([...left.path]) === canonical([...right.path]);
}

function leafHolds(leaf: Formula, value: Json | undefined): boolean {
  if (leaf.op === 'is') return holds(leaf.atom, value);
  if (leaf.op === 'isNot') return !holds(leaf.atom, value);
  return true;
}

/** Whether the comparison holds for a value, as Rego compares. */
export function holds({ test, values }: Atom, value: Json | undefined): boolean {
  if (value === undefined) return false;
  const [first = null] = values;
  switch (test) {
    case 'defined':
      return true;
    case 'truthy':
      return value !== false;
    case 'isString':
      return typeof value === 'string';
    case 'oneOf':
      return has(values, value);
    case 'startsWith':
      return typeof value === 'string' && typeof first === 'string' && value.startsWith(first);
    case 'contains':
      return Array.isArray(value)
        ? has(value as readonly Json[], first)
        : isJsonObject(value) && has(Object.values(value) as Json[], first);
    case 'less':
      return order(value, first) < 0;
    case 'atMost':
      return order(value, first) <= 0;
    case 'more':
      return order(value, first) > 0;
    case 'atLeast':
      return order(value, first) >= 0;
    default:
      return test satisfies never;
  }
}

/** Rego's order: null, booleans, numbers, text, arrays, objects; scalars of one type by value. */
function order(left: Json, right: Json): number {
  const ranks = [left, right].map((value) =>
    value === null ? 0 : Array.isArray(value) ? 4 : (['boolean', 'number', 'string'] as string[]).indexOf(typeof value) + 1 || 5,
  );
  const [a = 0, b = 0] = ranks;
  if (a !== b) return a - b;
  if (left === right) return 0;
  return (left as number) < (right as number) ? -1 : 1;
}

/**
 * Values for the paths of a clause so that every understood leaf holds, laid over `base`; `undefined` where none of those tried do. What is
 * opaque is not looked at: the answer has to be tried on the policy.
 */
export function modelOf(clause: Clause, base: JsonObject, domain: Domain = anything): JsonObject | undefined {
  const byPath = new Map<string, { readonly path: readonly string[]; readonly leaves: Formula[] }>();
  for (const leaf of clause) {
    if (leaf.op !== 'is' && leaf.op !== 'isNot') continue;
    const key = canonical([...leaf.atom.path]);
    const known = byPath.get(key);
    if (known === undefined) byPath.set(key, { path: leaf.atom.path, leaves: [leaf] });
    else known.leaves.push(leaf);
  }
  let model = base;
  for (const { path, leaves } of byPath.values()) {
    const tried = [...candidates(leaves, valueAt(base, path)), ...(domain.values(path) ?? [])];
    const isFit = (one: Json | undefined): boolean => one === undefined || domain.admits(path, one);
    const value = tried.find((one) => isFit(one) && leaves.every((leaf) => leafHolds(leaf, one)));
    if (value === undefined && !leaves.every((leaf) => leafHolds(leaf, undefined))) return undefined;
    model = withValue(model, path, value);
  }
  return model;
}

const maxVariants = 60;

/**
 * Inputs like `model` in which the values that a clause's opaque leaves read are others: what those leaves compare with is taken from their
 * text, which is no more than a guess.
 */
export function variantsOf(clause: Clause, model: JsonObject, domain: Domain = anything): readonly JsonObject[] {
  const leaves = clause.flatMap((leaf) => (leaf.op === 'opaque' || leaf.op === 'notOpaque' ? [leaf] : []));
  const guesses = [...new Set(leaves.flatMap(({ text }) => guessesIn(text)).map((value) => canonical(value)))].map(
    (text) => JSON.parse(text) as Json,
  );
  const paths = [...new Set(leaves.flatMap(({ needs = [], reads }) => [...needs, ...(reads ?? [])]).map((path) => canonical([...path])))]
    .map((text) => JSON.parse(text) as string[])
    .filter((path) => path[0] === 'arguments' && path.length > 1);
  let models: readonly JsonObject[] = [model];
  for (const path of paths) {
    const now = valueAt(model, path);
    const values = [undefined, ...(domain.values(path) ?? []), ...guesses].filter(
      (value) => value !== now && (value === undefined || domain.admits(path, value)),
    );
    const changed = values.flatMap((value) => models.map((one) => withValue(one, path, value)));
    models = [...models, ...changed].slice(0, maxVariants);
  }
  return models.slice(1);
}

function guessesIn(text: string): readonly Json[] {
  const texts = [...text.matchAll(/"(?:[^"\\]|\\.)*"/g)].flatMap(([literal]): Json[] => {
    const value = JSON.parse(literal) as string;
    return [value, `${value}x`, `x${value}`, [value]];
  });
  const numbers = [...text.replace(/"(?:[^"\\]|\\.)*"/g, '').matchAll(/(?<![\w.])-?\d+(?:\.\d+)?/g)].flatMap(([literal]): Json[] => {
    const value = Number(literal);
    return Number.isSafeInteger(Math.trunc(value)) ? [value, value + 1, value - 1] : [];
  });
  return [...texts, ...numbers, 1_000, -1_000, ['a', 'b', 'c']];
}

function candidates(leaves: readonly Formula[], now: Json | undefined): readonly (Json | undefined)[] {
  const atoms = leaves.flatMap((leaf) => (leaf.op === 'is' || leaf.op === 'isNot' ? [leaf.atom] : []));
  const wanted = leaves.flatMap((leaf) => (leaf.op === 'is' && leaf.atom.test === 'contains' ? leaf.atom.values : []));
  const lists = atoms.some(({ test }) => test === 'contains')
    ? [[...(Array.isArray(now) ? (now as readonly Json[]) : []), ...wanted], [...wanted]]
    : [];
  const near = atoms.flatMap(({ test, values }) =>
    values.flatMap((value): Json[] =>
      typeof value === 'number'
        ? [value, value + 1, value - 1]
        : test === 'startsWith' && typeof value === 'string'
          ? [value, `${value}x`]
          : [value],
    ),
  );
  return [now, ...lists, ...near, 'something else', 1, 0, true, false, null, [], {}];
}

function withValue(document: JsonObject, [step = '', ...rest]: readonly string[], value: Json | undefined): JsonObject {
  const below = document[step];
  const next = rest.length === 0 ? value : withValue(isJsonObject(below) ? below : {}, rest, value);
  const { [step]: _, ...others } = document;
  return next === undefined ? others : { ...others, [step]: next };
}
