import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { replayBuiltins } from '../../src/app/candidate.ts';
import type { PolicyEngine } from '../../src/model/ports.ts';
import { replayFaithfully } from '../../src/replay/faithful.ts';
import { independentOfHistory } from '../../src/replay/independent.ts';
import { replay, type ReplayRelease } from '../../src/replay/replay.ts';
import type { ReplayReport } from '../../src/replay/report.ts';
import { Releases, shippedFiles, type Files } from './releases.ts';
import { inMemory, person, Recorder, tool } from './traffic.ts';

const releases = new Releases();
let shipped: ReplayRelease;
let engine: PolicyEngine;

const alice = person('alice', ['engineering']);
const bob = person('bob', ['support']);
const notes = tool('memory', 'read_notes', { labels: ['private', 'read'] });
const fetch = tool('everything', 'fetch', { labels: ['egress'] });
const echo = tool('everything', 'echo', { labels: ['read'] });
const long = tool('everything', 'trigger-long-running-operation', { labels: ['read'] });

before(async () => {
  shipped = await releases.of(await shippedFiles(), 'shipped');
  engine = await releases.engine(shipped);
});
after(async () => {
  await engine.close();
  await releases.close();
});

function faithful(recorder: Recorder, candidate: ReplayRelease, workers = 2): Promise<ReplayReport> {
  return replayFaithfully({
    recorded: inMemory(recorder.recorded),
    filter: { tenant: 'default' },
    candidate,
    builtins: replayBuiltins(),
    workers,
    historyWindowMs: recorder.windowMs,
  });
}

async function candidate(over: Files, data?: Parameters<typeof shippedFiles>[1]): Promise<ReplayRelease> {
  return releases.of(await shippedFiles(over, data));
}

const noNotes = { 'rules/new/notes.rego': 'package rules.new.notes\n\ndeny contains "no notes" if input.target.name == "read_notes"\n' };

describe('replay with history as it would have been', () => {
  test('the release that decided gives no difference and knows everything', async () => {
    const recorder = new Recorder(engine);
    for (let turn = 0; turn < 30; turn++) {
      await recorder.call(alice, turn % 7 === 0 ? notes : echo, { turn });
      await recorder.call(alice, fetch, { turn });
      await recorder.call(bob, fetch, { turn });
      await recorder.call(bob, long, { turn });
      recorder.later(200_000);
    }
    assert.ok(recorder.recorded.some(({ record }) => record.decision?.reasons.some(({ rule }) => rule === 'flow/private_then_egress')));
    const report = await faithful(recorder, shipped);
    assert.deepEqual([report.changed, report.unknowable, report.moot], [0, 0, 0]);
    assert.equal(report.replayed, recorder.recorded.length);
  });

  test('a call that would be denied does not taint what followed', async () => {
    const recorder = new Recorder(engine);
    await recorder.call(alice, notes, { path: 'a' });
    assert.equal((await recorder.call(alice, fetch, { url: 'a' })).effect, 'deny');
    await recorder.call(bob, echo, {});
    const stricter = await candidate(noNotes);
    const report = await faithful(recorder, stricter);
    assert.deepEqual([report.kinds.newly_denied, report.moot, report.unknowable], [1, 1, 0]);
    const freed = report.groups.find(({ tool: on }) => on === 'everything/fetch');
    assert.ok(freed);
    assert.notEqual(freed.now.effect, 'deny');
    assert.deepEqual(freed.was.rules, ['flow/private_then_egress']);
    // As recorded, the taint stays.
    const flat = await replay({ recorded: inMemory(recorder.recorded), filter: { tenant: '' }, candidate: stricter, workers: 1 });
    assert.equal(
      flat.groups.some(({ tool: on }) => on === 'everything/fetch'),
      false,
    );
  });

  test('a taint that another call earned stays', async () => {
    const recorder = new Recorder(engine);
    await recorder.call(alice, notes, { path: 'a' });
    await recorder.call(alice, tool('memory', 'other_notes', { labels: ['private', 'read'] }), { path: 'b' });
    assert.equal((await recorder.call(alice, fetch, { url: 'a' })).effect, 'deny');
    const report = await faithful(recorder, await candidate(noNotes));
    assert.equal(
      report.groups.some(({ tool: on }) => on === 'everything/fetch'),
      false,
    );
    assert.equal(report.unknowable, 0);
  });

  test('what depends on a call that would now be sent is unknowable, for as long as history reaches', async () => {
    const recorder = new Recorder(engine);
    assert.equal((await recorder.call(bob, notes, { path: 'a' })).effect, 'deny');
    await recorder.call(bob, fetch, { url: 'a' });
    await recorder.call(alice, echo, {});
    recorder.later(recorder.windowMs * 2);
    await recorder.call(bob, fetch, { url: 'b' });
    const wider = await candidate({}, (data) => ({ ...data, grants: { ...data.grants, support: { memory: { tools: { '*': true } } } } }));
    const report = await faithful(recorder, wider);
    assert.equal(report.kinds.newly_allowed, 1);
    assert.equal(report.unknowable, 1);
    assert.equal(report.replayed + report.unknowable, recorder.recorded.length);
  });

  test('what is decided without history and labels is known all the same, by partial evaluation', async () => {
    const recorder = new Recorder(engine);
    assert.equal((await recorder.call(bob, notes, { path: 'a' })).effect, 'deny');
    for (let turn = 0; turn < 3; turn++) await recorder.call(bob, tool('memory', 'read_graph', { labels: ['read'] }), { turn });
    await recorder.call(bob, fetch, { url: 'a' });
    const over = { 'rules/new/graph.rego': 'package rules.new.graph\n\ndeny contains "no" if input.target.name == "read_graph"\n' };
    const files = await shippedFiles(over, (data) => ({
      ...data,
      grants: { ...data.grants, support: { memory: { tools: { '*': true } } } },
    }));
    const wider = await releases.of(files);
    const { packages } = await releases.opa.analyse({ files, entrypoints: ['gateway/call'] });
    const sets = packages.flatMap(({ path, rules }) =>
      path.startsWith('rules/') ? rules.filter(({ kind }) => kind === 'set').map(({ name }) => [...path.split('/'), name]) : [],
    );
    const options = {
      recorded: inMemory(recorder.recorded),
      filter: { tenant: 'default' },
      candidate: wider,
      builtins: replayBuiltins(),
      workers: 1,
      historyWindowMs: recorder.windowMs,
    };
    const guarded = await replayFaithfully(options);
    assert.equal(guarded.unknowable, 7);
    const known = await replayFaithfully({
      ...options,
      independent: (questions) => independentOfHistory(releases.opa, files, sets, questions),
    });
    // Only what sends data out looks at what was read before.
    assert.deepEqual([known.unknowable, known.kinds.newly_denied, known.moot], [1, 3, 3]);
    const combining = {
      ...files,
      'gateway/call.rego': 'package gateway\n\ncall := data.gateway.decide.decision if count(input.history) > 0\n',
    };
    assert.deepEqual(await independentOfHistory(releases.opa, combining, sets, [{ entry: 'gateway/call', inputJson: '{}' }]), [false]);
  });

  test('denials of a session are counted as the candidate would have made them', async () => {
    const recorder = new Recorder(engine);
    for (let turn = 0; turn < 6; turn++) await recorder.call(alice, echo, { turn });
    const lockOut = {
      'rules/new/turn.rego': 'package rules.new.turn\n\ndeny contains "not this turn" if input.arguments.turn in {1, 2}\n',
      'rules/new/lock.rego': 'package rules.new.lock\n\ndeny contains "locked out" if input.session.denied >= 2\n',
    };
    const report = await faithful(recorder, await candidate(lockOut));
    const denied = report.groups.filter(({ kind }) => kind === 'newly_denied');
    assert.deepEqual(denied.map(({ now, count }) => [now.rules.join(), count]).sort(), [
      ['new/lock', 3],
      ['new/turn', 2],
    ]);
  });

  test('labels that the candidate gives count for what follows', async () => {
    const recorder = new Recorder(engine);
    for (let turn = 0; turn < 3; turn++) await recorder.call(alice, echo, { turn });
    const over = {
      'rules/new/label.rego':
        'package rules.new.label\n\nlabel contains "seen" if {\n\tinput.phase == "call"\n\tinput.arguments.turn == 0\n}\n',
      'rules/new/after.rego':
        'package rules.new.after\n\ndeny contains "seen it" if "seen" in input.session.labels\n\ndeny contains "in history" if {\n\tinput.phase == "call"\n\tsome entry in input.history\n\t"seen" in entry.labels\n}\n',
    };
    const report = await faithful(recorder, await candidate(over));
    assert.equal(report.kinds.newly_denied, 2);
  });

  test('a lower limit is counted call by call, once its first window is over', async () => {
    const recorder = new Recorder(engine);
    await recorder.call(alice, echo, {});
    recorder.later(3_600_000);
    for (let turn = 0; turn < 12; turn++) await recorder.call(alice, long, { turn });
    const low = await candidate({}, (data) => ({
      ...data,
      limits: { ...data.limits, tools: { everything: { [long.name]: { max: 4, per_s: 3600 } } } },
    }));
    const report = await faithful(recorder, low);
    assert.equal(report.kinds.newly_denied, 6);
    assert.equal(report.unknowable, 0);
  });

  test('a limit over several identities is counted by one worker', async () => {
    const recorder = new Recorder(engine);
    await recorder.call(alice, echo, {});
    recorder.later(120_000);
    for (let turn = 0; turn < 4; turn++)
      for (const who of [alice, person('carol', ['engineering'])]) await recorder.call(who, echo, { turn });
    const shared = {
      'rules/new/all.rego':
        'package rules.new.all\n\nlimit contains {"key": "everybody", "max": 5, "per_s": 60} if input.target.name == "echo"\n',
    };
    const report = await faithful(recorder, await candidate(shared));
    assert.equal(report.workers, 1);
    assert.equal(report.kinds.newly_denied, 3);
  });
});
