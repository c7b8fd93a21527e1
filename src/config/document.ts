import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node, type ParsedNode } from 'yaml';
import type { Path, Problem } from './problem.ts';

/** A place in the text, from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A YAML file that was read: its value, and where each part of it stands. */
export interface ConfigDocument {
  /** Plain data; `undefined` where the text is not YAML. */
  readonly value: unknown;
  readonly syntax: readonly { readonly position: Position; readonly message: string }[];
  locate(problem: Pick<Problem, 'path' | 'at'>): Position;
}

/** Reads one YAML 1.2 document: no custom tags, no duplicate keys, no merge keys; a bounded number of aliases. */
export function readDocument(text: string): ConfigDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, version: '1.2', merge: false, stringKeys: true, prettyErrors: false });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  // After one real syntax error the parser only stumbles: the first is the one to mend.
  const found = [...document.errors, ...document.warnings];
  const isFirst = (error: (typeof found)[number]): boolean =>
    Object.hasOwn(ownWords, error.code) || error === found.find(({ code }) => !Object.hasOwn(ownWords, code));
  const syntax = found.filter(isFirst).map((error) => ({ position: at(error.pos[0]), message: syntaxMessage(error) }));
  let value: unknown;
  if (syntax.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch {
      // The only way for a well-formed document to fail here is by its aliases: unresolved, or too many.
      syntax.push({ position: at(0), message: 'an alias is unknown or there are more than 100 uses; write the values out' });
    }
  }
  return { value, syntax, locate: (problem) => at(offsetOf(document, problem.path, problem.at ?? 'value')) };
}

const ownWords: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'this key is there twice; remove one',
  TAB_AS_INDENT: 'indented with a tab; use spaces',
  MULTIPLE_DOCS: 'there is a second document; keep one, without `---` between',
  TAG_RESOLVE_FAILED: 'tags such as `!name` are not supported; remove it',
  NON_STRING_KEY: 'a key is not text; put it in quotes',
};

/** The parser's words without what it quotes: the text around an error may be a secret. */
function syntaxMessage(error: { readonly code: string; readonly message: string }): string {
  const own = ownWords[error.code];
  if (own !== undefined) return own;
  const words = (error.message.split(/[:\n]/)[0] ?? '').replace(/[`"'].*$/, '').trim();
  return `not valid YAML (${words === '' ? error.code.toLowerCase() : words.charAt(0).toLowerCase() + words.slice(1)}); check indentation and quotes here`;
}

/** Where a path leads; where it ends early, the last key on the way. */
function offsetOf(document: Document.Parsed, path: Path, at: 'key' | 'value'): number {
  let node: Node | null = document.contents;
  let offset = startOf(node);
  for (const [depth, step] of path.entries()) {
    const target: unknown = isAlias(node) ? node.resolve(document) : node;
    if (isMap(target)) {
      const pair = target.items.find((each) => isScalar(each.key) && String(each.key.value) === String(step));
      if (pair === undefined) return offset;
      const wantsKey = at === 'key' && depth === path.length - 1;
      node = pair.value as ParsedNode | null;
      // An alias stands where it is used: what is wrong in it is shown there.
      const empty = node === null || (isScalar(node) && node.value === null);
      const container = depth < path.length - 1;
      offset = wantsKey || empty || (container && !isAlias(node)) ? startOf(pair.key as ParsedNode) : startOf(node);
    } else if (isSeq(target) && typeof step === 'number') {
      node = (target.items[step] ?? null) as ParsedNode | null;
      if (node === null) return offset;
      offset = startOf(node);
    } else return offset;
  }
  return offset;
}

function startOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}
