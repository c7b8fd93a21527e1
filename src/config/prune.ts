import type { SchemaFault } from '../model/validate.ts';
import type { Path, Problem } from './problem.ts';
import { schemaProblems } from './schema-problems.ts';

/** What is left of a value when everything that does not fit is taken out, so that the rest can be checked in the same run. */
export interface Pruned {
  readonly value: unknown;
  /** The path in the file of a path in `value`: entries of lists move up when one is taken out. */
  original(path: Path): Path;
}

type Container = Record<string | number, unknown>;

/** Takes out, from `value` itself, all that `check` finds wrong, until the rest fits; `undefined` where nothing would be left. */
export function prune(value: unknown, check: (value: unknown) => readonly SchemaFault[]): Pruned | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const positions = new WeakMap<readonly unknown[], number[]>();
  // Each round takes something out, and nothing is nested this deep: more rounds mean a schema that contradicts itself.
  for (let round = 0; round < 16; round++) {
    const problems = schemaProblems(check(value), value).filter((problem) => problem.reason !== 'exclusive');
    if (problems.length === 0) return { value, original: (path) => originalPath(value, path, positions) };
    for (const path of deepestFirst(problems)) takeOut(value as Container, path, positions);
  }
  return undefined;
}

/** Later entries of a list before earlier ones, so that the indices of what is still to be taken out stay right. */
function deepestFirst(problems: readonly (Problem & { readonly reason?: string })[]): Path[] {
  const paths = problems.map((problem) =>
    problem.reason === 'missing' && problem.path.length > 1 ? problem.path.slice(0, -1) : problem.path,
  );
  const keys = [...new Set(paths.map((path) => JSON.stringify(path)))];
  return keys.map((key) => JSON.parse(key) as Path).sort((left, right) => comparePaths(right, left));
}

function comparePaths(left: Path, right: Path): number {
  for (let depth = 0; depth < Math.min(left.length, right.length); depth++) {
    const [a, b] = [left[depth], right[depth]];
    if (a === b) continue;
    return typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1;
  }
  return left.length - right.length;
}

function takeOut(root: Container, path: Path, positions: WeakMap<readonly unknown[], number[]>): void {
  const last = path.at(-1);
  let parent: unknown = root;
  for (const step of path.slice(0, -1)) parent = (parent as Container | undefined)?.[step];
  if (last === undefined || typeof parent !== 'object' || parent === null) return;
  if (Array.isArray(parent) && typeof last === 'number') {
    const numbers = positions.get(parent) ?? parent.map((_, index) => index);
    parent.splice(last, 1);
    numbers.splice(last, 1);
    positions.set(parent, numbers);
  } else if (path.length === 1 && last === 'version') root['version'] = 1;
  else Reflect.deleteProperty(parent, last);
}

function originalPath(root: unknown, path: Path, positions: WeakMap<readonly unknown[], number[]>): Path {
  let value = root;
  return path.map((step) => {
    const moved = Array.isArray(value) && typeof step === 'number' ? (positions.get(value)?.[step] ?? step) : step;
    value = typeof value === 'object' && value !== null ? (value as Container)[step] : undefined;
    return moved;
  });
}
