import { isJsonObject, type Json, type JsonObject } from './json.ts';

/**
 * The steps of a JSON Pointer, unescaped; `''` has none.
 * @throws SyntaxError when it is not empty and does not begin with `/`, or has a `~` that is not `~0` or `~1`
 * @see RFC 6901
 */
export function pointerSteps(pointer: string): string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw new SyntaxError(`the pointer \`${pointer}\` must be empty or begin with \`/\``);
  if (/~(?![01])/.test(pointer)) throw new SyntaxError(`the pointer \`${pointer}\` has a \`~\` that is neither \`~0\` nor \`~1\``);
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The pointer with these steps. */
export function toPointer(steps: readonly (string | number)[]): string {
  let pointer = '';
  for (const step of steps) {
    const text = String(step);
    pointer += `/${text.includes('~') || text.includes('/') ? text.replaceAll('~', '~0').replaceAll('/', '~1') : text}`;
  }
  return pointer;
}

/** The member of `value` that one step names: an own key of an object, or an index of an array; `undefined` where there is none. */
export function stepInto(value: Json | undefined, step: string): Json | undefined {
  if (Array.isArray(value)) return /^(?:0|[1-9]\d*)$/.test(step) ? (value as readonly Json[])[Number(step)] : undefined;
  return isJsonObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
}

/** The value at a pointer without `*` meaning; `undefined` where nothing is there. */
export function getAt(value: Json, pointer: string): Json | undefined {
  let at: Json | undefined = value;
  for (const step of pointerSteps(pointer)) at = stepInto(at, step);
  return at;
}

/** Steps of every place that a pointer names, in document order; a `*` step matches each key or index. */
export function placesOf(value: Json, pointer: string): string[][] {
  let places: { readonly steps: string[]; readonly value: Json }[] = [{ steps: [], value }];
  for (const step of pointerSteps(pointer)) {
    const next: typeof places = [];
    for (const place of places) {
      for (const name of step === '*' ? namesOf(place.value) : [step]) {
        const member = stepInto(place.value, name);
        if (member !== undefined) next.push({ steps: [...place.steps, name], value: member });
      }
    }
    places = next;
  }
  return places.map((place) => place.steps);
}

/** Every value at a pointer, with the pointer of its place; a `*` step matches each key or index. */
export function findAll(value: Json, pointer: string): { readonly pointer: string; readonly value: Json }[] {
  return placesOf(value, pointer).map((steps) => {
    let at: Json | undefined = value;
    for (const step of steps) at = stepInto(at, step);
    return { pointer: toPointer(steps), value: at ?? null };
  });
}

/**
 * `value` with each place that the pointer names replaced. What lies beside the path is shared with the original, which stays as it is;
 * the original itself comes back where the pointer names nothing.
 */
export function replaceAt(value: Json, pointer: string, change: (old: Json) => Json): Json {
  return edit(value, pointerSteps(pointer), 0, (old) => change(old)) ?? null;
}

/** `value` without the places that the pointer names: keys are deleted, array items taken out. The root becomes `null`. */
export function removeAt(value: Json, pointer: string): Json {
  return edit(value, pointerSteps(pointer), 0, () => undefined) ?? null;
}

/** Keys of an object or indices of an array, as steps. */
export function namesOf(value: Json): string[] {
  return Array.isArray(value) || isJsonObject(value) ? Object.keys(value) : [];
}

function edit(value: Json, steps: readonly string[], at: number, change: (old: Json) => Json | undefined): Json | undefined {
  const step = steps[at];
  if (step === undefined) return change(value);
  let members: Map<string, Json | undefined> | undefined;
  for (const name of step === '*' ? namesOf(value) : [step]) {
    const old = stepInto(value, name);
    if (old === undefined) continue;
    const now = edit(old, steps, at + 1, change);
    if (now !== old) (members ??= new Map()).set(name, now);
  }
  return members === undefined ? value : withMembers(value as readonly Json[] | JsonObject, members);
}

/** A copy of an array or object with some members changed; `undefined` takes a member out. */
export function withMembers(value: readonly Json[] | JsonObject, members: ReadonlyMap<string, Json | undefined>): Json {
  if (Array.isArray(value)) {
    const items: Json[] = [];
    (value as readonly Json[]).forEach((item, index) => {
      const now = members.has(String(index)) ? members.get(String(index)) : item;
      if (now !== undefined) items.push(now);
    });
    return items;
  }
  const copy: Record<string, Json | undefined> = {};
  for (const [key, item] of Object.entries(value)) {
    const now = members.has(key) ? members.get(key) : item;
    if (now !== undefined) copy[key] = now;
  }
  return copy;
}
