import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AuditRecord } from '../../../src/model/audit-record.ts';
import type { GatewayFixture } from '../../support/gateway.ts';
import type { RecordingUpstream } from '../../support/recording-upstream.ts';

export const metaKey = 'castellan/decision';

/** What the agent was told: the text of a tool result, or the message of an error, and the decision's note. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export function told(answer: any): { readonly text: string; readonly isError: boolean; readonly note: Record<string, any> } {
  const { result, error } = answer ?? {};
  const note = result?._meta?.[metaKey] ?? error?.data?.[metaKey] ?? {};
  const text = error?.message ?? (result?.content ?? []).map((part: { text?: string }) => part.text ?? '').join('\n');
  return { text, isError: error !== undefined || result?.isError === true, note };
}

/** The value of one series of `/metrics`; 0 where it is not there yet. */
export async function metric(url: string, series: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

export async function readyz(url: string): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** Waits until `look` gives something truthy, and gives that. */
export async function until<T>(what: string, look: () => T | Promise<T>, limitMs = 15_000): Promise<NonNullable<T>> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    if (performance.now() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** The records of one call, oldest first. */
export async function recordsOf(fixture: GatewayFixture, call: unknown): Promise<AuditRecord[]> {
  assert.equal(typeof call, 'string');
  const { body } = await fixture.admin('GET', `/audit?call=${String(call)}`);
  return (body as { seq: number; record: AuditRecord }[]).sort((a, b) => a.seq - b.seq).map((one) => one.record);
}

/** Holds at the end of every test: the chain is whole, and each call that the upstream saw has an earlier record that allows it. */
export async function assertInvariant(fixture: GatewayFixture, ...upstreams: readonly RecordingUpstream[]): Promise<void> {
  const { body } = await fixture.admin('POST', '/audit/verify');
  assert.equal(body.ok, true, JSON.stringify(body));
  const records = (await fixture.records()).map((one) => one.record);
  const allowed = records.filter(
    ({ kind, what, decision }) =>
      kind === 'decided' && what?.method === 'tools/call' && (decision?.effect === 'allow' || decision?.effect === 'redact'),
  );
  const seen = upstreams.reduce((count, upstream) => count + upstream.calls('tools/call').length, 0);
  if (records.length < 1000) assert.ok(seen <= allowed.length, `${seen} calls were seen, ${allowed.length} allowed`);
}

const policies = fileURLToPath(new URL('../../../policies/', import.meta.url));

/** The shipped combining with rules of a test's own: path under `rules/` to text. */
export function combining(rules: Readonly<Record<string, string>>, data: object = {}): Readonly<Record<string, string>> {
  const shipped = ['gateway', 'schemas'].flatMap((folder) =>
    readdirSync(join(policies, folder)).map((name) => [`${folder}/${name}`, readFileSync(join(policies, folder, name), 'utf8')] as const),
  );
  const own = Object.entries(rules).map(([path, text]) => [`rules/${path}`, text] as const);
  return { ...Object.fromEntries([...shipped, ...own]), 'data.json': JSON.stringify({ guardrails: [], enforcement: {}, ...data }) };
}

/** The release in force, as /readyz names it. */
export async function releaseOf(url: string): Promise<string> {
  return ((await readyz(url)).body['release'] as { id: string } | null)?.id ?? '';
}

/** Changes a file of the policy and waits until another release is in force; gives its id. */
export async function edit(fixture: GatewayFixture, path: string, change: (text: string) => string): Promise<string> {
  const before = await releaseOf(fixture.url);
  const file = join(fixture.policyFolder, path);
  writeFileSync(file, change(readFileSync(file, 'utf8')));
  return until(`the edit of ${path} is in force`, async () => {
    const now = await releaseOf(fixture.url);
    return now === before ? undefined : now;
  });
}

/** Runs each step of a teardown, also when one before it fails: what a failed start left open would keep the process alive. */
export async function endAll(...steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  const faults: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      faults.push(error);
    }
  }
  if (faults.length > 0) throw new AggregateError(faults, faults.map(String).join('; '));
}
