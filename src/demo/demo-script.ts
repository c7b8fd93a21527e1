import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditRecord } from '../model/audit-record.ts';
import { DemoAgent, type Seen } from './demo-agent.ts';
import { sampleSecret, type DemoSetup } from './demo-setup.ts';

/** One line of the demo's table. */
export interface DemoLine {
  readonly identity: string;
  readonly tool: string;
  readonly effect: string;
  readonly rule: string;
  readonly reason: string;
  readonly tookMs: number;
  /** Whether it came out as it should. */
  readonly good: boolean;
}

/** Takes a line; for a call, whose id is known, the audit log says which rule decided and why. */
type Show = (line: DemoLine & { readonly call?: string | undefined }) => Promise<void>;

/** The main job as a script: each line is a real call through the gateway, checked against what policy should make of it. */
export async function runScript(setup: DemoSetup, print: (line: DemoLine) => void): Promise<void> {
  const { provider, endpoint } = setup;
  const auditor = await provider.tokenFor('sofia', { resource: setup.adminAudience });
  const show: Show = async ({ call, ...line }) =>
    print(call === undefined || line.rule !== '' ? line : { ...line, ...(await decidedBy(setup, auditor, call, line)) });
  const alice = await DemoAgent.connect(endpoint, await provider.tokenFor('alice', { resource: endpoint }));
  const bob = await DemoAgent.connect(endpoint, await provider.tokenFor('bob', { resource: endpoint }));
  try {
    await lists(alice, bob, show);
    await simpleCalls(alice, bob, show);
    await redactions(alice, show);
    await approval(setup, alice, show);
    await edit(setup, bob, show);
    await sequence(alice, show);
    await audit(setup, show);
  } finally {
    await alice.close();
    await bob.close();
  }
}

async function lists(alice: DemoAgent, bob: DemoAgent, show: Show): Promise<void> {
  const [forAlice, forBob] = [await alice.tools(), await bob.tools()];
  const [a, b] = [new Set(forAlice.names), new Set(forBob.names)];
  const differ = a.has('create_entities') && !b.has('create_entities') && b.has('read_graph') && a.has('read_first_lines');
  const line = { tool: 'tools/list', effect: 'allow', rule: 'gateway/list', good: differ };
  await show({ ...line, identity: 'alice', reason: `${forAlice.names.length} tools visible`, tookMs: forAlice.tookMs });
  await show({
    ...line,
    identity: 'bob',
    reason: `${forBob.names.length} tools visible; \`create_entities\` is not`,
    tookMs: forBob.tookMs,
  });
}

async function simpleCalls(alice: DemoAgent, bob: DemoAgent, show: Show): Promise<void> {
  const read = await bob.call('read_text_file', { path: 'welcome.md' });
  await show(lineOf('bob', 'read_text_file', read, 'allow', read.text.includes('served by the filesystem server')));
  const created = await bob.call('create_entities', { entities: [{ name: 'x', entityType: 'y', observations: [] }] });
  await show(lineOf('bob', 'create_entities', created, 'deny', created.isError && created.text.includes('ask for a grant')));
  const outside = await alice.call('read_text_file', { path: '../../etc/passwd' });
  await show(
    lineOf(
      'alice',
      'read_text_file ../..',
      outside,
      'deny',
      outside.note.reasons?.some((reason) => reason.rule === 'arguments/path') === true,
    ),
  );
  const variant = await alice.call('read_first_lines', { path: 'welcome.md' });
  await show(lineOf('alice', 'read_first_lines', variant, 'allow', variant.text.includes('Welcome')));
}

async function redactions(alice: DemoAgent, show: Show): Promise<void> {
  const sent = await alice.call('echo', { message: 'please write to erin.walker@example.com' });
  await show(
    lineOf(
      'alice',
      'echo (argument)',
      sent,
      'redact',
      !sent.text.includes('erin.walker@') && sent.text.includes('[redacted'),
      'an address in the argument was masked',
    ),
  );
  const ticket = await alice.call('read_text_file', { path: 'ticket.txt' });
  const clean = !ticket.text.includes(sampleSecret()) && !ticket.text.includes('erin.walker@') && ticket.text.includes('The deploy fails');
  await show(lineOf('alice', 'read_text_file (result)', ticket, 'redact', clean, 'a token and an address in the result were masked'));
}

async function approval(setup: DemoSetup, alice: DemoAgent, show: Show): Promise<void> {
  const args = { path: 'notes.txt', content: 'written once' };
  const held = await alice.call('write_file', args);
  await show(lineOf('alice', 'write_file', held, 'require_approval', held.isError && held.note.approval !== undefined));
  const id = held.note.approval?.id ?? '';
  const self = await vote(setup, 'alice', id);
  await show({
    identity: 'alice',
    tool: 'approve her own call',
    effect: 'refused',
    rule: 'admin API',
    reason: self.message,
    tookMs: self.tookMs,
    good: self.status === 403,
  });
  const approved = await vote(setup, 'sofia', id);
  await show({
    identity: 'sofia',
    tool: `approve ${id.slice(0, 10)}…`,
    effect: 'approved',
    rule: 'admin API',
    reason: approved.message,
    tookMs: approved.tookMs,
    good: approved.status === 200,
  });
  const done = await alice.call('write_file', args);
  const written = await readFile(join(setup.folder, 'files', 'notes.txt'), 'utf8').catch(() => '');
  await show(
    lineOf('alice', 'write_file again', done, 'allow', !done.isError && written === 'written once', 'executed once, on the approval'),
  );
  const again = await alice.call('write_file', args);
  await show(
    lineOf(
      'alice',
      'write_file once more',
      again,
      'require_approval',
      again.isError && again.note.approval?.id !== id,
      'the approval is spent: a new one is needed',
    ),
  );
}

async function vote(setup: DemoSetup, subject: string, id: string): Promise<{ status: number; message: string; tookMs: number }> {
  const token = await setup.provider.tokenFor(subject, { resource: setup.adminAudience });
  const startedMs = performance.now();
  const response = await fetch(`${setup.url}/admin/v1/approvals/${id}/approve`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  });
  const body = (await response.json()) as { state?: string; error?: { message: string } };
  return { status: response.status, message: body.error?.message ?? `state: ${body.state ?? ''}`, tookMs: performance.now() - startedMs };
}

/** Adds one line of Rego to a rule in force, and waits until the gateway decides by it. */
async function edit(setup: DemoSetup, bob: DemoAgent, show: Show): Promise<void> {
  const before = await bob.call('list_directory', { path: '.' });
  await show(lineOf('bob', 'list_directory', before, 'allow', !before.isError));
  const file = join(setup.policyFolder, 'rules', 'access', 'read_only.rego');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('\ttool.read_only\n', '\ttool.read_only\n\tinput.tool.name != "list_directory"\n'));
  const startedMs = performance.now();
  let after = before;
  for (let turn = 1; !after.isError && performance.now() - startedMs < 30_000; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    // Another spelling each time: the same call over and over would be refused as a loop.
    after = await bob.call('list_directory', { path: './'.repeat(turn) });
  }
  const waited = Math.round(performance.now() - startedMs);
  await show(
    lineOf(
      'bob',
      'list_directory, after an edit',
      after,
      'deny',
      after.isError && after.note.effect === 'deny',
      `one Rego line added, in force after ${waited} ms without a restart`,
    ),
  );
}

async function sequence(alice: DemoAgent, show: Show): Promise<void> {
  const read = await alice.call('read_text_file', { path: 'private/salaries.csv' });
  await show(lineOf('alice', 'read_text_file private/', read, 'allow', read.text.includes('91000'), 'allowed, and labelled private'));
  const sent = await alice.call('echo', { message: 'name,salary' });
  await show(
    lineOf(
      'alice',
      'echo, after that',
      sent,
      'deny',
      sent.isError && sent.note.reasons?.some((reason) => reason.rule === 'flow/private_then_egress') === true,
    ),
  );
}

/** Rule and reason of a call, as its records have them: what was judged last and changed something, else what let it pass. */
async function decidedBy(setup: DemoSetup, token: string, call: string, line: DemoLine): Promise<Pick<DemoLine, 'rule' | 'reason'>> {
  const response = await fetch(`${setup.url}/admin/v1/audit?call=${call}`, { headers: { authorization: `Bearer ${token}` } });
  const stored = (await response.json()) as { record: AuditRecord }[];
  const reasons = stored.flatMap(({ record }) => record.decision?.reasons ?? []);
  const reason = reasons.find((one) => one.effect === line.effect) ?? reasons[0];
  return { rule: reason?.rule ?? '', reason: line.reason === '' ? (reason?.message ?? '') : line.reason };
}

async function audit(setup: DemoSetup, show: Show): Promise<void> {
  const token = await setup.provider.tokenFor('sofia', { resource: setup.adminAudience });
  const startedMs = performance.now();
  const response = await fetch(`${setup.url}/admin/v1/audit/verify`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  const found = (await response.json()) as { ok?: boolean; records?: number; problem?: string };
  const reason = found.ok === true ? `${found.records ?? 0} records, the chain is whole` : (found.problem ?? 'no answer');
  await show({
    identity: 'sofia',
    tool: 'audit verify',
    effect: found.ok === true ? 'whole' : 'broken',
    rule: 'admin API',
    reason,
    tookMs: performance.now() - startedMs,
    good: found.ok === true && (found.records ?? 0) > 20,
  });
}

function lineOf(
  identity: string,
  tool: string,
  seen: Seen,
  expected: string,
  good: boolean,
  words?: string,
): DemoLine & { call: string | undefined } {
  const effect = seen.note.effect ?? (seen.isError ? 'error' : 'none');
  const [first] = seen.note.reasons ?? [];
  const fromRule = first === undefined ? undefined : first.message;
  return {
    identity,
    tool,
    effect,
    rule: first?.rule ?? '',
    reason: words ?? fromRule ?? '',
    tookMs: seen.tookMs,
    good: good && effect === expected,
    call: seen.note.id,
  };
}
