import { isRawNumber, type Json, type JsonObject } from '../model/json.ts';
import { toPointer } from '../model/json-pointer.ts';
import { blobKeys, textOfBase64, textOfDataUri } from './blob.ts';
import { embeddedJson, looksLikeJson, unescaped, writeLike } from './embedded-json.ts';
import type { Needles } from './needles.ts';
import { isProtocolWord, wellFormed } from './protocol-words.ts';
import { intoText, type Step, type Target, type TargetNode } from './redaction-targets.ts';

/** How a document is rewritten. */
export interface Rewriting {
  readonly targets: TargetNode;
  readonly copies: (json: Json, into: TargetNode) => void;
  readonly needles: Needles;
  readonly mask: string;
  readonly replace: (target: Target) => string | undefined;
  /** The text with what detectors found replaced; `name` has no offset in it. */
  readonly cleanText: (key: string, text: string) => string;
  readonly cleanKey: (key: string) => string;
}

/** A rewritten document; what did not change is shared with the original. */
export interface Rewritten {
  readonly value: Json;
  readonly changed: number;
  readonly pointers: readonly string[];
}

/** Applies every redaction in one pass, so that what one takes away does not move what another names. The original stays as it is. */
export function rewrite(document: Json, by: Rewriting): Rewritten {
  let changed = 0;
  const pointers = new Set<string>();

  const note = (path: readonly Step[]): void => {
    changed++;
    const inText = path.indexOf(intoText);
    const outer = inText === -1 ? path : path.slice(0, inText);
    pointers.add(toPointer(outer.map((step) => by.needles.erase(String(step), by.mask))));
  };

  const plainText = (key: string, text: string): string => {
    const cleaned = by.cleanText(key, text);
    const clean = by.needles.size === 0 ? cleaned : by.needles.erase(cleaned, by.mask);
    if (text.includes('\\') && looksLikeJson(text)) {
      // Escapes may hide a copy in text that is almost JSON.
      const open = unescaped(clean);
      if (by.needles.occurIn(open) || by.cleanText(key, open) !== open) return by.mask;
    }
    const inside = textOfDataUri(clean);
    if (inside !== undefined && plainText('', inside) !== inside) return `data:text/plain;base64,${encoded(by.mask)}`;
    return clean;
  };

  const text = (key: string, value: string, node: TargetNode | undefined, path: readonly Step[]): string => {
    const inner = embeddedJson(value);
    if (inner === undefined) {
      const clean = isProtocolWord(key, value) ? value : plainText(key, value);
      if (clean !== value) note(path);
      return clean;
    }
    const into = node?.children.get(intoText) ?? { children: new Map() };
    by.copies(inner, into);
    const before = changed;
    const rewritten = visit(key, inner, into, [...path, intoText]);
    const out = changed === before || rewritten === undefined ? value : writeLike(rewritten, value);
    // What detectors see only in the text as a whole goes too, and values that the punctuation of JSON helps to spell.
    const whole = by.cleanText(key, out);
    const clean = by.needles.occurIn(whole, true) ? by.needles.erase(whole, by.mask) : whole;
    if (clean !== out) note(path);
    return clean;
  };

  const visit = (key: string, value: Json, node: TargetNode | undefined, path: readonly Step[]): Json | undefined => {
    if (node?.target !== undefined) {
      note(path);
      return wellFormed(path, by.replace(node.target));
    }
    if (typeof value === 'string') return text(key, value, node, path);
    if (typeof value === 'number' || isRawNumber(value)) {
      const digits = typeof value === 'number' ? String(value) : value.rawJSON;
      if (plainText(key, digits) === digits) return value;
      note(path);
      return wellFormed(path, by.mask);
    }
    if (typeof value !== 'object' || value === null) return value;
    return Array.isArray(value) ? items(key, value, node, path) : members(value as JsonObject, node, path);
  };

  const items = (key: string, value: readonly Json[], node: TargetNode | undefined, path: readonly Step[]): Json => {
    const before = changed;
    const out: Json[] = [];
    value.forEach((item, index) => {
      const now = visit(key, item, node?.children.get(String(index)), [...path, String(index)]);
      if (now !== undefined) out.push(now);
    });
    return changed === before ? value : out;
  };

  const members = (object: JsonObject, given: TargetNode | undefined, path: readonly Step[]): Json => {
    let node = given;
    if (path.length === 2 && path[0] === 'result' && path[1] === 'structuredContent') by.copies(object, (node ??= { children: new Map() }));
    const before = changed;
    const blobs = blobKeys(object);
    const out: Record<string, Json> = {};
    for (const [key, value] of Object.entries(object)) {
      if (value === undefined) continue;
      const here = [...path, key];
      const child = node?.children.get(key);
      let now = visit(key, value, child, here);
      if (typeof now === 'string' && child?.target === undefined && blobs.includes(key))
        now = now === value ? blob(now, here) : encoded(by.mask);
      if (now === undefined) continue;
      const name = isProtocolWord(key) ? key : by.needles.erase(by.cleanKey(key), by.mask);
      if (name !== key) note(path);
      out[Object.hasOwn(out, name) || (name !== key && Object.hasOwn(object, name)) ? freeName(name, object, out) : name] = now;
    }
    return changed === before ? object : out;
  };

  const blob = (base64: string, path: readonly Step[]): string => {
    const inside = textOfBase64(base64);
    if (inside === undefined) return base64;
    const before = changed;
    text('', inside, undefined, path);
    return changed === before ? base64 : encoded(by.mask);
  };

  const value = visit('', document, by.targets, []) ?? null;
  return { value, changed, pointers: [...pointers] };
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** Names that were made alike by redaction stay apart. */
function freeName(name: string, object: JsonObject, out: JsonObject): string {
  let count = 2;
  while (Object.hasOwn(object, `${name} ${count}`) || Object.hasOwn(out, `${name} ${count}`)) count++;
  return `${name} ${count}`;
}
