import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { application } from '../../../src/app.ts';
import type { RunningGateway } from '../../../src/cli/application.ts';
import { sampleSecret, setUpDemo, type DemoSetup } from '../../../src/demo/demo-setup.ts';
import type { AuditRecord } from '../../../src/model/audit-record.ts';
import { RawAgent } from '../../support/gateway.ts';
import { endAll } from '../policy/support.ts';

/** The shipped policies on real servers: what they decide can be decided again from a receipt, whatever it was. */
describe('receipts of what the shipped policies decided', { timeout: 180_000 }, () => {
  let setup: DemoSetup;
  let gateway: RunningGateway;
  before(async () => {
    setup = await setUpDemo(0);
    const config = await readFile(setup.configPath, 'utf8');
    await writeFile(
      setup.configPath,
      config.replace('log: { level: warn }', 'log: { level: error }').replace('policy: {', 'policy: { deadline_ms: 5000,'),
    );
    await writeFile(join(setup.folder, 'files', 'report.json'), JSON.stringify({ mail: 'erin@example.com', token: sampleSecret() }));
    gateway = await application.startGateway({ configPath: setup.configPath, env: process.env });
  });
  after(() =>
    endAll(
      () => gateway.close(),
      () => setup.close(),
    ),
  );

  it('make every decision again, and say of each what could not be checked', async () => {
    const agentOf = async (subject: string): Promise<RawAgent> =>
      new RawAgent(setup.endpoint, await setup.provider.tokenFor(subject, { resource: setup.endpoint })).open();
    const [alice, bob] = [await agentOf('alice'), await agentOf('bob')];
    await alice.request('tools/list');
    await alice.call('read_text_file', { path: 'report.json' });
    await alice.call('write_file', { path: 'x', content: 'y' });
    await alice.call('delete_entities', { entityNames: ['a'] });
    await bob.call('write_file', { path: 'x', content: 'y' });
    await bob.call('read_text_file', { path: '../../etc/passwd' });
    await bob.call('echo', { message: 'no' });
    const token = await setup.provider.tokenFor('sofia', { resource: setup.adminAudience });
    const stored = (await (
      await fetch(`${setup.url}/admin/v1/audit?limit=1000`, { headers: { authorization: `Bearer ${token}` } })
    ).json()) as { record: AuditRecord }[];
    const { public_key: key } = await application.auditProofs.checkpoint(setup.configPath, process.env);
    const effects = new Set<string>();
    let again = 0;
    const decided = stored.filter(({ record }) => record.kind === 'decided');
    assert.ok(decided.length >= 10);
    for (const { record } of decided) {
      const receipt = await application.receipts.write(setup.configPath, process.env, record.call ?? '', true);
      const file = join(setup.folder, 'receipt.json');
      await writeFile(file, JSON.stringify(receipt));
      const { ok, findings } = await application.receipts.check(file, [key]);
      const told = `${record.what?.method ?? ''} ${record.decision?.effect ?? ''}: ${JSON.stringify(findings, null, 2)}`;
      assert.ok(ok, told);
      for (const { what, holds } of findings) if (!what.startsWith('decision of')) assert.equal(holds, true, told);
      const made = findings.filter((one) => one.what.startsWith('decision of'));
      assert.ok(
        made.length > 0 && made.every(({ holds, detail }) => holds === true || (holds === null && /policy's mask/.test(detail))),
        told,
      );
      again += made.filter((one) => one.holds === true).length;
      effects.add(record.decision?.effect ?? '');
    }
    assert.deepEqual([...effects].sort(), ['allow', 'deny', 'require_approval'], 'what was tried');
    assert.ok(again >= decided.length, `${again} decisions were made again`);
  });
});
