import type { Path, Problem } from './problem.ts';
import type { Config, SinkConfig } from './schema-types.ts';
import { Secret } from './secret.ts';

const secretHeader = /authorization|cookie|api-?key|token|secret|password/i;
/** Headers that a request carries anyhow. */
const ownHeaders: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'user-agent',
]);

/** What the schema cannot say about sinks, pushed checkpoints and telemetry: names that must differ, secrets that must be some, headers that cannot be. */
export function checkSinks({ audit, telemetry }: Config): Problem[] {
  const problems = audit.sinks.flatMap((sink, index) => checkSink(sink, ['audit', 'sinks', index]));
  const seen = new Set<string>();
  for (const [index, { name }] of audit.sinks.entries()) {
    if (seen.has(name))
      problems.push({ path: ['audit', 'sinks', index, 'name'], message: `sink \`${name}\` is there twice; give one of them another name` });
    seen.add(name);
  }
  for (const [index, { http }] of audit.checkpoints.push.entries())
    problems.push(...checkHeaders(http?.headers ?? {}, ['audit', 'checkpoints', 'push', index, 'http', 'headers']));
  if (telemetry.otlp !== undefined) problems.push(...checkHeaders(telemetry.otlp.headers, ['telemetry', 'otlp', 'headers']));
  return problems;
}

function checkSink(sink: SinkConfig, path: Path): Problem[] {
  const problems: Problem[] = [];
  for (const kind of ['opa', 'otlp'] as const) problems.push(...checkHeaders(sink[kind]?.headers ?? {}, [...path, kind, 'headers']));
  for (const [index, secret] of (sink.webhook?.secrets ?? []).entries())
    if (!isWebhookSecret(secret.reveal()))
      problems.push({
        path: [...path, 'webhook', 'secrets', index],
        message: 'the secret must be `whsec_` and 24 to 64 bytes in base64; make one with `openssl rand -base64 32`',
      });
  if (sink.syslog?.tls === false && sink.syslog.ca !== undefined)
    problems.push({
      path: [...path, 'syslog', 'ca'],
      at: 'key',
      message: 'there is no certificate without TLS; remove it, or set `tls: true`',
    });
  return problems;
}

function isWebhookSecret(text: string): boolean {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  const bytes = Buffer.from(encoded ?? '', 'base64').length;
  return bytes >= 24 && bytes <= 64;
}

function checkHeaders(headers: Readonly<Record<string, string | Secret>>, path: Path): Problem[] {
  return Object.entries(headers).flatMap(([name, value]): Problem[] => {
    const at = [...path, name];
    if (ownHeaders.has(name.toLowerCase())) return [{ path: at, at: 'key', message: "this header is the request's own; remove it" }];
    if (typeof value === 'string' && secretHeader.test(name))
      return [{ path: at, message: 'looks like a secret in plain text; use `{env: NAME}` or `{file: PATH}`' }];
    const text = typeof value === 'string' ? value : value.reveal();
    return /[\u0000-\u0008\u000a-\u001f\u007f]/.test(text)
      ? [{ path: at, message: 'a header has no line breaks or other control characters' }]
      : [];
  });
}
