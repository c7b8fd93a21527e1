import { canonical } from '../model/digest.ts';
import { isJsonObject, isRawNumber, type Json } from '../model/json.ts';
import { toPointer } from '../model/json-pointer.ts';
import type { LockedServer, Lockfile } from './lockfile.ts';

/** One place in which a definition differs; a side that is missing has nothing there. */
export interface FieldChange {
  /** JSON Pointer from the definition's root. */
  readonly pointer: string;
  readonly before?: Json;
  readonly after?: Json;
}

/** How one tool, or a server's instructions, differs from what is locked. */
export interface Drift {
  readonly server: string;
  /** `null`: the server's instructions. */
  readonly tool: string | null;
  readonly kind: 'added' | 'removed' | 'changed';
  readonly fields: readonly FieldChange[];
}

/** What differs between two lockfiles, ordered by server and tool; only `servers` are compared. */
export function diffLocks(before: Lockfile, after: Lockfile, servers: readonly string[]): readonly Drift[] {
  const none: LockedServer = { instructions: null, tools: {} };
  return [...servers].sort(compare).flatMap((server) => {
    const old = own(before.servers, server) ?? none;
    const now = own(after.servers, server) ?? none;
    const drifts: Drift[] = [];
    if (old.instructions?.digest !== now.instructions?.digest)
      drifts.push({
        server,
        tool: null,
        kind: kindOf(old.instructions ?? undefined, now.instructions ?? undefined),
        fields: changedFields(old.instructions?.text, now.instructions?.text),
      });
    for (const tool of [...new Set([...Object.keys(old.tools), ...Object.keys(now.tools)])].sort(compare)) {
      const [locked, live] = [own(old.tools, tool), own(now.tools, tool)];
      const fields = [
        ...changedFields(locked?.definition, live?.definition),
        ...(locked === undefined || live === undefined ? [] : labelChange(locked.labels, live.labels)),
      ];
      if (fields.length > 0) drifts.push({ server, tool, kind: kindOf(locked, live), fields });
    }
    return drifts;
  });
}

function kindOf(before: object | undefined, after: object | undefined): Drift['kind'] {
  return before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
}

function labelChange(before: readonly string[], after: readonly string[]): FieldChange[] {
  return canonical(before) === canonical(after) ? [] : [{ pointer: '(labels)', before, after }];
}

/** Every place in which two values differ, down to the smallest that does. */
export function changedFields(before: Json | undefined, after: Json | undefined, steps: readonly (string | number)[] = []): FieldChange[] {
  if (before !== undefined && after !== undefined) {
    if (canonical(before) === canonical(after)) return [];
    if (isPlainObject(before) && isPlainObject(after)) {
      const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort(compare);
      return keys.flatMap((key) => changedFields(own(before, key), own(after, key), [...steps, key]));
    }
    if (isListOfObjects(before) && isListOfObjects(after))
      return Array.from({ length: Math.max(before.length, after.length) }, (_, at) =>
        changedFields(before[at], after[at], [...steps, at]),
      ).flat();
  }
  const change = { pointer: toPointer(steps) };
  return [{ ...change, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
}

function isPlainObject(value: Json): value is Readonly<Record<string, Json>> {
  return isJsonObject(value) && !isRawNumber(value);
}

function isListOfObjects(value: Json): value is readonly Json[] {
  return Array.isArray(value) && (value as readonly Json[]).some((item) => typeof item === 'object' && item !== null);
}

function own<T>(record: Readonly<Record<string, T | undefined>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
