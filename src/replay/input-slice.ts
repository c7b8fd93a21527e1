/** What is kept of an input: top-level keys, each with the members of it that are kept; `null` where it is kept whole. */
export type Kept = ReadonlyMap<string, ReadonlySet<string> | null>;

/**
 * The JSON object `json` with only what is `kept`, as text: the gateway sends a release nothing that it cannot read, and a smaller input is
 * evaluated faster. Values are copied as they stand. Text that is no plain JSON object is given back whole.
 */
export function inputSlice(json: string, kept: Kept | null): string {
  if (kept === null) return json;
  const sliced = members(json, 0, (key, valueAt, end) => {
    const wanted = kept.get(key);
    if (wanted === undefined) return undefined;
    if (wanted === null || json.charCodeAt(valueAt) !== openBrace) return json.slice(valueAt, end);
    return members(json, valueAt, (member, at, memberEnd) => (wanted.has(member) ? json.slice(at, memberEnd) : undefined))?.text;
  });
  return sliced === undefined ? json : sliced.text;
}

/**
 * The values of an object's top-level members as JSON text, by key; `undefined` where `json` is no object.
 */
export function topLevel(json: string): ReadonlyMap<string, string> | undefined {
  const found = new Map<string, string>();
  const read = members(json, 0, (key, at, end) => {
    found.set(key, json.slice(at, end));
    return undefined;
  });
  return read === undefined ? undefined : found;
}

const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;

type Choose = (key: string, valueAt: number, end: number) => string | undefined;

/** The object at `at` rebuilt of what `choose` gives for each member; where it ends. */
function members(json: string, at: number, choose: Choose): { readonly text: string; readonly end: number } | undefined {
  let here = skipSpace(json, at);
  if (json.charCodeAt(here) !== openBrace) return undefined;
  here = skipSpace(json, here + 1);
  let text = '{';
  if (json.charCodeAt(here) === closeBrace) return { text: '{}', end: here + 1 };
  for (;;) {
    if (json.charCodeAt(here) !== quote) return undefined;
    const keyEnd = endOfString(json, here);
    const raw = json.slice(here, keyEnd);
    const key = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
    here = skipSpace(json, keyEnd);
    if (json.charCodeAt(here) !== colon) return undefined;
    const valueAt = skipSpace(json, here + 1);
    const end = endOfValue(json, valueAt);
    const value = choose(key, valueAt, end);
    if (value !== undefined) text += `${text === '{' ? '' : ','}${raw}:${value}`;
    here = skipSpace(json, end);
    const code = json.charCodeAt(here);
    if (code === closeBrace) return { text: `${text}}`, end: here + 1 };
    if (code !== comma) return undefined;
    here = skipSpace(json, here + 1);
  }
}

function endOfValue(json: string, at: number): number {
  const first = json.charCodeAt(at);
  if (first === quote) return endOfString(json, at);
  if (first === openBrace || first === openBracket) {
    let depth = 0;
    for (let here = at; here < json.length; here++) {
      const code = json.charCodeAt(here);
      if (code === quote) here = endOfString(json, here) - 1;
      else if (code === openBrace || code === openBracket) depth++;
      else if ((code === closeBrace || code === closeBracket) && --depth === 0) return here + 1;
    }
    return json.length;
  }
  let here = at;
  for (; here < json.length; here++) {
    const code = json.charCodeAt(here);
    if (code === comma || code === closeBrace || code === closeBracket || code <= 0x20) break;
  }
  return here;
}

function endOfString(json: string, start: number): number {
  let end = json.indexOf('"', start + 1);
  while (end > 0) {
    let slashes = 0;
    while (json.charCodeAt(end - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return end + 1;
    end = json.indexOf('"', end + 1);
  }
  return json.length;
}

function skipSpace(json: string, at: number): number {
  let here = at;
  while (json.charCodeAt(here) <= 0x20) here++;
  return here;
}
