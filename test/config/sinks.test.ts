import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { GatewayError } from '../../src/model/errors.ts';

const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;

/** What is wrong with a file, or nothing. */
function problemsOf(text: string, env: Readonly<Record<string, string>> = {}): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'castellan-config-'));
  const path = join(folder, 'c.yaml');
  writeFileSync(path, `version: 1\npolicy: { path: ., run_tests: false, tests: . }\n${text}\n`);
  try {
    loadConfig(path, env);
    return [];
  } catch (error) {
    assert.ok(error instanceof GatewayError && error.code === 'config.invalid');
    return error.message.split('\n').map((line) => line.replace(/^.*c\.yaml:\d+:\d+: /, ''));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const sink = (body: string): string => `audit: { sinks: [{ name: one, ${body} }] }`;

test('each kind of sink is accepted as the manual shows it', () => {
  const good = [
    'webhook: { url: "https://hook.example/x", secrets: [{ env: S }] }',
    'opa: { url: "https://opa.example", partition: a, headers: { authorization: { env: S } }, labels: { app: x } }',
    'otlp: { url: "http://collector:4318" }',
    'syslog: { host: siem.example, format: cef }',
    's3: { endpoint: "https://s3.example", bucket: b, access_key_id: { env: S }, secret_access_key: { env: S } }',
  ];
  for (const body of good) assert.deepEqual(problemsOf(sink(body), { S: secret }), [], body);
});

test('what is wrong with a sink is told with its place and its cure', () => {
  const rows: readonly (readonly [string, RegExp])[] = [
    [
      sink('webhook: { url: "https://h.example", secrets: [{ env: S }] }'),
      /^audit\.sinks\[0\]\.webhook\.secrets\[0\]: the secret must be `whsec_`/,
    ],
    [
      sink('opa: { url: "https://o.example", headers: { Authorization: "Bearer x" } }'),
      /headers\.Authorization: looks like a secret in plain text/,
    ],
    [sink('otlp: { url: "https://o.example", headers: { content-type: a } }'), /this header is the request's own/],
    [sink('syslog: { host: h, tls: false, ca: { env: S } }'), /syslog\.ca: there is no certificate without TLS/],
    [
      'audit: { sinks: [{ name: a, otlp: { url: "http://a" } }, { name: a, otlp: { url: "http://b" } }] }',
      /sinks\[1\]\.name: sink `a` is there twice/,
    ],
    [
      'audit: { checkpoints: { push: [{ name: a, http: { url: "https://a.example", headers: { Authorization: "Bearer x" } } }] } }',
      /checkpoints\.push\[0\]\.http\.headers\.Authorization: looks like a secret in plain text/,
    ],
    [
      'telemetry: { otlp: { endpoint: "http://a", headers: { x-api-key: plain } } }',
      /telemetry\.otlp\.headers\.x-api-key: looks like a secret/,
    ],
  ];
  for (const [text, wanted] of rows) {
    const found = problemsOf(text, { S: 'no-webhook-secret' });
    assert.equal(found.length, 1, `${text}: ${found.join(' | ')}`);
    assert.match(found[0]!, wanted);
  }
  assert.notDeepEqual(problemsOf(sink('from: now')), [], 'a sink goes somewhere');
  assert.notDeepEqual(problemsOf(sink('otlp: { url: "http://a" }, opa: { url: "http://a" }')), [], 'and to one place');
});
