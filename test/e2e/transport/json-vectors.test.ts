import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { RawAgent } from '../../support/gateway.ts';
import { assertServes, startRig, type Rig } from './rig.ts';

const folder = process.env['CASTELLAN_VECTORS'] ?? join(import.meta.dirname, '../../../../shared/vectors');
const file = join(folder, 'json-parsing.json');
const present = existsSync(file);
const inCi = process.env['CI'] !== undefined && process.env['CI'] !== '';
const skip = !present && !inCi && 'the vectors are not here';

/** Texts that a lenient parser takes and that say two things at once. */
const twoValues = new Set(['y_object_duplicated_key', 'y_object_duplicated_key_and_value']);

describe('JSONTestSuite through the gateway', { concurrency: false, skip }, () => {
  let rig: Rig;
  let agent: RawAgent;
  let cases: readonly (readonly [string, Buffer])[];

  before(async () => {
    assert.ok(present, `the vectors are missing: set CASTELLAN_VECTORS to the folder that has ${file}`);
    const vectors = JSON.parse(readFileSync(file, 'utf8')) as { cases: Record<string, string> };
    cases = Object.entries(vectors.cases).map(([name, base64]) => [name, Buffer.from(base64, 'base64')]);
    rig = await startRig({ extra: 'limits: { body_bytes: 1048576 }' });
    agent = await rig.agent();
    await assertServes(agent);
  });
  after(() => rig.close());

  const wrapped = (before: string, value: Buffer, after: string): Uint8Array =>
    Buffer.concat([
      Buffer.from(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":${before}`),
      value,
      Buffer.from(`${after}}}`),
    ]);

  test('each text that must be refused ends in 400, as the whole body, as the arguments and as a value in them', async () => {
    const refused = cases.filter(([name]) => name.startsWith('n_'));
    assert.equal(refused.length, 188);
    const sent = rig.upstream.requests.length;
    for (const [name, text] of refused) {
      for (const [where, body] of [
        ['whole body', text],
        ['arguments', wrapped('', text, '')],
        ['value', wrapped('{"v":', text, '}')],
      ] as const) {
        const answer = await agent.post(body);
        assert.equal(answer.status, 400, `${name} as ${where}: ${answer.text}`);
        assert.equal(answer.json?.error?.code, -32700, `${name} as ${where}: ${answer.text}`);
      }
    }
    assert.equal(rig.upstream.requests.length, sent);
    const { body } = await rig.gateway.admin('GET', '/audit?limit=1000&kind=refused');
    assert.equal(body.length, refused.length * 3);
    await assertServes(agent);
  });

  test('each text that must be taken reaches the upstream as the value that it is', async () => {
    const taken = cases.filter(([name]) => name.startsWith('y_'));
    assert.equal(taken.length, 95);
    for (const [name, text] of taken) {
      // Written again, since that is what goes on: `-0` is the number 0.
      const given = JSON.parse(JSON.stringify(JSON.parse(text.toString('utf8')))) as unknown;
      const isObject = typeof given === 'object' && given !== null && !Array.isArray(given);
      const sent = rig.upstream.calls('tools/call').length;
      const answer = await agent.post(isObject ? wrapped('', text, '') : wrapped('{"v":', text, '}'));
      if (twoValues.has(name)) {
        assert.deepEqual([answer.status, answer.json?.error?.code], [400, -32700], name);
        assert.equal(rig.upstream.calls('tools/call').length, sent, name);
        continue;
      }
      assert.equal(answer.status, 200, `${name}: ${answer.text}`);
      assert.deepEqual(rig.upstream.calls('tools/call')[sent]?.message.params.arguments, isObject ? given : { v: given }, name);
    }
    await assertServes(agent);
  });

  test('a number that a double would change arrives with the digits that it was sent with', async () => {
    for (const digits of ['9007199254740993', '-123456789012345678901234567890', '0.1000000000000000055511151231257827', '1e400']) {
      await agent.post(wrapped('{"v":', Buffer.from(digits), '}'));
      assert.match(rig.upstream.calls('tools/call').at(-1)?.body ?? '', new RegExp(`"v":${digits.replace('.', '\\.')}}`));
    }
  });
});
