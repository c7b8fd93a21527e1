import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { buildInput, type InputParts } from '../../src/call/build-input.ts';
import type { Call } from '../../src/call/call.ts';
import { History, TrackedCall } from '../../src/call/history.ts';
import { InputPlans } from '../../src/call/input-plan.ts';
import { digestText } from '../../src/model/digest.ts';
import { rawNumber } from '../../src/model/json.ts';
import type { ActiveRelease, InputReads } from '../../src/model/ports.ts';
import { compileValidator } from '../../src/model/validate.ts';
import { alice, arrival, callTo, facts, startMs } from './calls.ts';

const schema = JSON.parse(readFileSync(new URL('../../policies/schemas/input.json', import.meta.url), 'utf8')) as Record<string, unknown>;
const validate = compileValidator(schema);

function history() {
  const kept = new History({ maxEntries: 5, windowMs: 3_600_000, maxIdentities: 10 });
  const what = { method: 'tools/call', server: 'files', tool: 'read', labels: ['private'], arguments_digest: `sha256:${'1'.repeat(64)}` };
  const ended = new TrackedCall(startMs - 10, 's', what);
  kept.begin('a', ended);
  kept.settle('a', ended, 'allow', 'ok', ['private'], startMs - 5);
  kept.begin('a', new TrackedCall(startMs - 1, 's', { ...what, server: null }));
  return kept.look('a', startMs, 's');
}

const parts: InputParts = {
  entry: 'gateway/call',
  phase: 'call',
  atMs: startMs,
  findings: [{ detector: 'secret.x', pointer: '/arguments/path', count: 1 }],
  history: history(),
  approval: null,
  environmentJson: JSON.stringify({ name: 'test', labels: { region: 'eu' } }),
};
const approval = {
  id: 'apr_1',
  state: 'approved',
  rules: ['a/b'],
  approved_by: ['sofia'],
  approved_at: new Date(startMs).toISOString(),
} as const;
const question = { kind: 'elicitation', server: 'files', name: 'elicitation/create' } as const;

const rows: { name: string; call: Call; parts: InputParts }[] = [
  { name: 'call', call: callTo(), parts },
  { name: 'call, approved', call: callTo(), parts: { ...parts, approval } },
  {
    name: 'call with a trace and on behalf of somebody',
    call: callTo({ arrival: { ...arrival, traceId: 'a'.repeat(32) }, identity: { ...alice, onBehalfOf: { issuer: 'i', subject: 's' } } }),
    parts,
  },
  {
    name: 'call of a service by key',
    call: callTo({ identity: { ...alice, kind: 'service', auth: { ...alice.auth, method: 'key' } } }),
    parts,
  },
  {
    name: 'call that is about no tool',
    call: callTo({ method: 'ping', target: { kind: 'protocol', server: null, name: 'ping' }, tool: undefined, subject: {} }),
    parts,
  },
  {
    name: 'call of a prompt with findings',
    call: {
      ...callTo({
        method: 'prompts/get',
        target: { kind: 'prompt', server: 'files', name: 'p"' },
        tool: undefined,
        subject: { name: 'p"' },
      }),
      item: { kind: 'prompt', server: 'files', name: 'p"', findings: [{ detector: 'hidden.bidi', pointer: '/title', count: 2 }] },
    },
    parts,
  },
  {
    name: 'call of an unknown method',
    call: callTo({ method: 'x"y', target: { kind: 'unknown', server: null, name: 'x"y' }, tool: undefined, subject: {} }),
    parts,
  },
  {
    name: 'result',
    call: callTo(),
    parts: { ...parts, entry: 'gateway/result', phase: 'result', result: { content: [{ type: 'text', text: 'x' }] } },
  },
  {
    name: 'result that is an error',
    call: callTo(),
    parts: { ...parts, entry: 'gateway/result', phase: 'result', result: { error: { code: 1, message: 'x' } } },
  },
  {
    name: 'message',
    call: callTo({ phase: 'message', method: 'elicitation/create', target: question, tool: undefined }),
    parts: { ...parts, entry: 'gateway/message', phase: 'message' },
  },
  {
    name: 'list of tools',
    call: callTo({ method: 'tools/list', tool: undefined, subject: {} }),
    parts: { ...parts, entry: 'gateway/list', phase: 'list', listJson: { key: 'tools', json: JSON.stringify([facts]) } },
  },
  {
    name: 'list of items',
    call: callTo({ method: 'prompts/list', tool: undefined, subject: {} }),
    parts: {
      ...parts,
      entry: 'gateway/list',
      phase: 'list',
      listJson: { key: 'items', json: JSON.stringify([{ kind: 'prompt', server: 'files', name: 'p' }]) },
    },
  },
];

describe('the input', () => {
  for (const row of rows) {
    it(`fits its schema: ${row.name}`, () => {
      const { json, digest } = buildInput(new InputPlans(), row.call, row.parts);
      const value = JSON.parse(json) as Record<string, unknown>;
      assert.equal(validate(value), undefined, json);
      assert.equal(digest, digestText(json));
      assert.equal('arguments' in value, row.parts.phase !== 'list');
    });
  }

  it('says exactly what the call is', () => {
    const { json } = buildInput(new InputPlans(), callTo({ subject: { n: rawNumber('12345678901234567890'), at: 'żółć' } }), parts);
    assert.ok(json.includes('"n":12345678901234567890'));
    assert.ok(json.includes(`"at_ns":${startMs}000000`));
    const value = JSON.parse(json) as Record<string, Record<string, unknown>>;
    assert.equal(value['at'], new Date(startMs).toISOString());
    assert.deepEqual(value['identity'], {
      issuer: alice.issuer,
      subject: alice.subject,
      client: 'agent',
      kind: 'user',
      tenant: 'default',
      groups: ['engineering'],
      scopes: ['mcp:tools'],
      claims: alice.claims,
      on_behalf_of: null,
      auth: { method: 'oidc', age_s: 40 },
    });
    assert.deepEqual(value['tool'], facts);
    assert.deepEqual(value['session']?.['labels'], ['private']);
    assert.deepEqual(
      (value['history'] as unknown as { outcome: string }[]).map((entry) => entry.outcome),
      ['ok', 'pending'],
    );
    assert.deepEqual(value['findings'], parts.findings);
  });

  it('holds only what the release can read, and always the time', () => {
    const reads: InputReads = new Map([
      ['at_ns', null],
      ['identity', new Set(['groups'])],
      ['tool', new Set(['labels'])],
      ['arguments', null],
    ]);
    const release = { reads: () => reads } as unknown as ActiveRelease;
    const plain = callTo();
    const { json } = buildInput(new InputPlans(), { ...plain, snapshot: { ...plain.snapshot, release } }, parts);
    const { arguments: given, ...value } = JSON.parse(json) as Record<string, unknown>;
    assert.deepEqual(value, {
      version: 1,
      phase: 'call',
      at_ns: startMs * 1_000_000,
      identity: { groups: ['engineering'] },
      tool: { labels: ['private'] },
    });
    assert.deepEqual(given, plain.subject);
  });

  for (const row of rows) {
    it(`keeps the whole beside it, to the letter: ${row.name}`, () => {
      const { json } = buildInput(new InputPlans(), row.call, row.parts);
      const release = { reads: () => new Map([['at_ns', null]]) } as unknown as ActiveRelease;
      const narrow = { ...row.call, snapshot: { ...row.call.snapshot, release } };
      const { json: asked, kept } = buildInput(new InputPlans(), narrow, row.parts, 100_000);
      assert.ok(asked.length < json.length / 2);
      assert.equal(kept?.pieces.map((piece) => (typeof piece === 'string' ? piece : piece.text)).join(''), json);
      assert.equal(kept.entry, row.parts.entry);
    });
  }

  it('does not keep what is larger than it may be, in bytes', () => {
    const large = callTo({ subject: { text: 'ż'.repeat(3_000) } });
    const size = Buffer.byteLength(buildInput(new InputPlans(), large, parts).json);
    const keep = (maxBytes: number) => buildInput(new InputPlans(), large, parts, maxBytes);
    assert.deepEqual([keep(size).state, keep(size).kept !== undefined], [undefined, true]);
    const { state, kept } = keep(size - 1);
    assert.deepEqual([state, kept], ['too_large', undefined]);
  });
});
