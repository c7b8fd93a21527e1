import type { Json } from '../model/json.ts';
import type { Step } from './redaction-targets.ts';

/** Names that MCP itself gives: they carry nothing, and without them a message is none. */
const names: ReadonlySet<string> = new Set(
  'result error content contents messages structuredContent isError _meta type text data mimeType resource uri blob name title description role message code annotations audience priority lastModified size arguments jsonrpc'.split(
    ' ',
  ),
);

const words: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['type', new Set(['text', 'image', 'audio', 'resource', 'resource_link', 'tool_use', 'tool_result'])],
  ['role', new Set(['user', 'assistant'])],
  [
    'mimeType',
    new Set(['text/plain', 'text/html', 'text/markdown', 'text/csv', 'application/json', 'application/xml', 'application/yaml']),
  ],
]);

/** True for a name, or a word under that name, that the protocol prescribes: it is no copy of a value that reads the same. */
export function isProtocolWord(key: string, value?: string): boolean {
  return value === undefined ? names.has(key) : words.get(key)?.has(value) === true;
}

/**
 * What a redacted place holds where the protocol prescribes the form of what is there; `undefined` takes the member out.
 * @param text the replacement, or `undefined` to drop the value
 */
export function wellFormed(path: readonly Step[], text: string | undefined): Json | undefined {
  const [root, part, item, member] = path;
  if (root !== 'result') return text;
  if (path.length === 2) {
    if (part === 'content') return text === undefined ? [] : [{ type: 'text', text }];
    if (part === 'contents' || part === 'messages') return [];
    if (part === 'structuredContent' || part === '_meta' || part === 'isError') return undefined;
  }
  if (part === 'content' && path.length === 3) return text === undefined ? undefined : { type: 'text', text };
  if (part === 'error') return item === 'code' ? 0 : (text ?? (item === 'message' ? '' : undefined));
  const last = path.at(-1);
  const inContent = part === 'content' || part === 'contents' || part === 'messages';
  if (inContent && path.length > 3 && typeof last === 'string' && !path.some((step) => typeof step !== 'string')) {
    if (last === 'blob' || last === 'data') return Buffer.from(text ?? '').toString('base64');
    if (member !== undefined && names.has(last)) return text ?? '';
  }
  return text;
}
