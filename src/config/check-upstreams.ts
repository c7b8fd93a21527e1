import type { Path, Problem } from './problem.ts';
import type { Config, UpstreamConfig } from './schema-types.ts';
import { Secret } from './secret.ts';

const secretHeader = /^(proxy-)?authorization$|cookie|api-?key|token|secret|password/i;
const secretVariable = /(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|PAT|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)(_|$)/i;
/** Headers that the transport itself writes. */
const ownHeaders: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'content-type',
  'transfer-encoding',
  'accept',
  'last-event-id',
  'mcp-session-id',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
]);

/** What the schema cannot say about upstreams: where secrets stand, and what goes together. */
export function checkUpstreams({ upstreams }: Config): Problem[] {
  return Object.entries(upstreams).flatMap(([name, upstream]) => checkUpstream(upstream, ['upstreams', name]));
}

function checkUpstream(upstream: UpstreamConfig, path: Path): Problem[] {
  const problems: Problem[] = [];
  for (const kind of ['http', 'sse'] as const) problems.push(...checkHeaders(upstream, kind, path));
  for (const [name, value] of Object.entries(upstream.stdio?.env ?? {})) {
    const at = [...path, 'stdio', 'env', name];
    if (typeof value === 'string' && secretVariable.test(name)) problems.push({ path: at, message: plainSecret });
    if (value instanceof Secret && value.reveal().includes('\0'))
      problems.push({ path: at, message: 'the secret holds a zero byte; an environment variable cannot' });
  }
  if (upstream.stdio !== undefined && upstream.http === undefined && upstream.credential !== undefined)
    problems.push({ path: [...path, 'credential'], at: 'key', message: 'a program gets its secrets through `stdio.env`; move it there' });
  if (upstream.sse !== undefined && upstream.era === 'modern')
    problems.push({ path: [...path, 'era'], message: 'the old HTTP+SSE transport knows no `modern` era; put the address under `http`' });
  const fixed = upstream.credential?.static;
  if (fixed !== undefined) {
    const at = [...path, 'credential', 'static'];
    if (breaksHeader(fixed.value)) problems.push({ path: [...at, 'value'], message: headerBreak });
    if (ownHeaders.has(fixed.header.toLowerCase()))
      problems.push({ path: [...at, 'header'], message: `\`${fixed.header}\` is the transport's own; take another` });
  }
  return problems;
}

const plainSecret = 'looks like a secret in plain text; use `{env: NAME}` or `{file: PATH}`';
const headerBreak = 'the secret holds a line break or another control character; a header cannot';

function checkHeaders(upstream: UpstreamConfig, kind: 'http' | 'sse', path: Path): Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  const credentialHeader = (
    upstream.credential?.static?.header ??
    (upstream.credential?.client_credentials && 'authorization')
  )?.toLowerCase();
  for (const [name, value] of Object.entries(upstream[kind]?.headers ?? {})) {
    const at = [...path, kind, 'headers', name];
    const lower = name.toLowerCase();
    if (ownHeaders.has(lower)) problems.push({ path: at, at: 'key', message: "this header is the transport's own; remove it" });
    else if (lower === credentialHeader) problems.push({ path: at, at: 'key', message: '`credential` sets this header too; remove one' });
    else if (seen.has(lower)) problems.push({ path: at, at: 'key', message: 'this header is there twice; names differ in case only' });
    seen.add(lower);
    if (typeof value === 'string' && secretHeader.test(name)) problems.push({ path: at, message: plainSecret });
    if (breaksHeader(value))
      problems.push({
        path: at,
        message: value instanceof Secret ? headerBreak : 'a header has no line breaks or other control characters',
      });
  }
  return problems;
}

function breaksHeader(value: string | Secret): boolean {
  return /[\u0000-\u0008\u000a-\u001f\u007f]/.test(typeof value === 'string' ? value : value.reveal());
}
