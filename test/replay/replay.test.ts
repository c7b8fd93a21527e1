import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { PolicyEngine } from '../../src/model/ports.ts';
import type { RecordedDecision } from '../../src/model/recorded.ts';
import { replayBuiltins } from '../../src/app/candidate.ts';
import { replay, type ReplayRelease } from '../../src/replay/replay.ts';
import type { ReplayReport } from '../../src/replay/report.ts';
import { exceeded, parseThreshold } from '../../src/replay/thresholds.ts';
import { inMemory, person, Recorder, tool } from './traffic.ts';
import { Releases, shippedFiles, type Files } from './releases.ts';

const releases = new Releases();
let shipped: ReplayRelease;
let engine: PolicyEngine;
let recorder: Recorder;

const alice = person('alice', ['engineering']);
const bob = person('bob', ['support']);
const readGraph = tool('memory', 'read_graph', { annotations: { readOnlyHint: true } });
const deleteEntities = tool('memory', 'delete_entities', { labels: ['destructive'] });
const fetch = tool('everything', 'fetch', { labels: ['egress'] });
const notes = tool('files', 'read_note', { labels: ['private', 'read'] });
const long = tool('everything', 'trigger-long-running-operation', { labels: ['read'] });

before(async () => {
  shipped = await releases.of(await shippedFiles(), 'shipped');
  engine = await releases.engine(shipped);
  recorder = new Recorder(engine);
  for (let turn = 0; turn < 20; turn++) {
    await recorder.call(alice, readGraph, { turn });
    await recorder.call(bob, readGraph, { turn }, { content: [{ type: 'text', text: `mail bob${turn}@example.org` }] });
    await recorder.call(bob, deleteEntities, { turn });
    await recorder.call(alice, fetch, { url: `https://example.org/${turn}` });
    await recorder.call(alice, long, { turn });
  }
  await recorder.call(alice, notes, { path: 'private.txt' });
  await recorder.call(alice, fetch, { url: 'https://example.org/after' });
});
after(async () => {
  await engine.close();
  await releases.close();
});

function run(candidate: ReplayRelease, recorded: readonly RecordedDecision[] = recorder.recorded, more = {}): Promise<ReplayReport> {
  return replay({
    recorded: inMemory(recorded),
    filter: { tenant: 'default' },
    candidate,
    builtins: replayBuiltins(),
    workers: 2,
    ...more,
  });
}

async function candidate(over: Files, data?: Parameters<typeof shippedFiles>[1]): Promise<ReplayRelease> {
  return releases.of(await shippedFiles(over, data));
}

describe('replay as recorded', () => {
  test('the release that decided gives no difference, whatever it decided', async () => {
    const effects = new Set(recorder.recorded.map(({ record }) => record.decision?.effect));
    assert.deepEqual(
      [...effects].sort(),
      ['allow', 'deny', 'redact', 'require_approval'].filter((effect) => effects.has(effect as 'deny')),
    );
    assert.ok(effects.has('deny') && effects.has('allow'));
    const report = await run(shipped);
    assert.deepEqual(report.groups, []);
    assert.equal(report.changed, 0);
    assert.equal(report.replayed, recorder.recorded.length);
    assert.equal(report.same, report.replayed);
  });

  test('a new rule’s denials are counted by rule, tool and role, with identities and an example', async () => {
    const over = {
      'rules/new/graph.rego': 'package rules.new.graph\n\ndeny contains "not at night" if input.target.name == "read_graph"\n',
    };
    const report = await run(await candidate(over));
    const calls = report.groups.filter(({ entry }) => entry === 'gateway/call');
    assert.deepEqual(
      calls
        .map(({ kind, tool: on, role, count, now }) => ({ kind, on, role, count, rules: now.rules }))
        .sort((a, b) => (a.role < b.role ? -1 : 1)),
      [
        { kind: 'newly_denied', on: 'memory/read_graph', role: 'engineering', count: 20, rules: ['new/graph'] },
        { kind: 'newly_denied', on: 'memory/read_graph', role: 'support', count: 20, rules: ['new/graph'] },
      ],
    );
    const group = calls.find(({ role }) => role === 'support');
    assert.ok(group);
    assert.deepEqual(group.identities, { count: 1, top: [{ identity: 'bob', count: 20 }] });
    const example = recorder.recorded.find(({ seq }) => seq === group.example.seq);
    assert.ok(example);
    assert.equal(example.record.call, group.example.call);
    assert.equal(example.record.who?.subject, 'bob');
    assert.equal(report.by.rule[0]?.value, 'new/graph');
  });

  test('a wider grant is newly allowed, and says which rule denied', async () => {
    const report = await run(
      await candidate({}, (data) => ({ ...data, grants: { ...data.grants, support: { memory: { tools: { '*': true } } } } })),
    );
    assert.equal(report.kinds.newly_denied, 0);
    const [group] = report.groups.filter(({ role }) => role === 'support');
    assert.equal(group?.tool, 'memory/delete_entities');
    assert.ok(group.kind === 'newly_allowed' || group.kind === 'newly_needing_approval');
    assert.deepEqual(group.was.rules, ['gateway/default']);
  });

  test('approvals and redactions that are new are told apart', async () => {
    const over = {
      'rules/new/ask.rego':
        'package rules.new.ask\n\nrequire_approval contains {"message": "ask", "groups": ["security"]} if input.arguments.turn == 3\n',
      'rules/new/mask.rego':
        'package rules.new.mask\n\nredact contains {"pointer": "/arguments/turn", "as": "drop"} if {\n\tinput.phase == "call"\n\tinput.arguments.turn == 4\n}\n',
    };
    const report = await run(await candidate(over));
    assert.ok(report.kinds.newly_needing_approval > 0);
    assert.ok(report.kinds.newly_redacted > 0);
    assert.equal(report.kinds.newly_denied, 0);
  });

  test('a limit that was reached is no difference under the same limit, and one under another', async () => {
    assert.ok(recorder.recorded.some(({ record }) => (record.decision?.limits?.length ?? 0) > 0 && record.decision?.effect === 'deny'));
    const report = await run(await candidate({}, (data) => ({ ...data, limits: { ...data.limits, tools: {} } })));
    assert.deepEqual([report.kinds.limits_changed, report.kinds.newly_allowed, report.changed], [10, 10, 20]);
    const allowed = report.groups.find(({ kind }) => kind === 'newly_allowed');
    assert.deepEqual(allowed?.was, { effect: 'deny', rules: ['limits/counted'] });
    const higher = await run(
      await candidate({}, (data) => ({
        ...data,
        limits: { ...data.limits, tools: { everything: { [long.name]: { max: 12, per_s: 3600 } } } },
      })),
    );
    assert.deepEqual([higher.kinds.limits_changed, higher.changed], [20, 20]);
  });

  test('inputs that are masked or gone are counted and never evaluated', async () => {
    const [first, second, third, ...rest] = recorder.recorded;
    assert.ok(first && second && third);
    const json = first.input.state === 'kept' ? first.input.json : '';
    const report = await run(
      await candidate({ 'rules/new/none.rego': 'package rules.new.none\n\ndeny contains "no" if input.version == 1\n' }),
      [
        { ...first, input: { state: 'masked', json, pointers: ['/arguments/turn'] } },
        { ...second, input: { state: 'absent', why: 'erased' } },
        { ...third, input: { state: 'absent', why: 'expired' } },
        ...rest.slice(0, 10),
      ],
    );
    assert.deepEqual(report.not_replayable, { masked: 1, erased: 1, expired: 1, too_large: 0, not_kept: 0 });
    assert.equal(report.decisions, 13);
    assert.equal(report.replayed, 10);
  });

  test('what the gateway itself decided is not compared', async () => {
    const [first] = recorder.recorded;
    assert.ok(first?.record.decision);
    const decision = { ...first.record.decision, effect: 'deny' as const, fault: 'timeout' as const };
    const report = await run(shipped, [{ ...first, record: { ...first.record, decision } }]);
    assert.equal(report.gateway_decided, 1);
    assert.equal(report.changed, 0);
  });

  test('a candidate that loops on one input is cut off there, and the rest is replayed', async () => {
    const loop =
      'package rules.new.loop\n\ndeny contains "slow" if {\n\tinput.arguments.turn == 7\n\tcount([1 | some i in numbers.range(1, 9000); some j in numbers.range(1, 9000); i + j == 0]) > 0\n}\n';
    const some = recorder.recorded.slice(60, 90);
    const report = await run(await candidate({ 'rules/new/loop.rego': loop }), some, { deadlineMs: 400 });
    assert.equal(report.replayed, some.length);
    const faults = report.groups.filter(({ now }) => now.fault === 'timeout' || now.fault === 'memory');
    assert.ok(faults.length > 0);
    assert.ok(report.same > 0);
  });

  test('bounds are on counts and on shares', async () => {
    const over = { 'rules/new/graph.rego': 'package rules.new.graph\n\ndeny contains "no" if input.target.name == "read_graph"\n' };
    const report = await run(await candidate(over));
    const denied = report.kinds.newly_denied;
    assert.deepEqual(exceeded(report, [parseThreshold('newly_denied', String(denied)), parseThreshold('newly_denied', '100%')]), []);
    assert.equal(exceeded(report, [parseThreshold('newly_denied', String(denied - 1))]).length, 1);
    assert.equal(exceeded(report, [parseThreshold('newly_denied', '0.1%')]).length, 1);
    assert.throws(() => parseThreshold('newly_denied', '1.5'), /is no bound/);
  });
});
