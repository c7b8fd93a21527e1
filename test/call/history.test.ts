import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { History, TrackedCall } from '../../src/call/history.ts';
import type { HistoryEntry } from '../../src/model/input.ts';
import { startMs } from './calls.ts';

const windowMs = 3_600_000;

function tracked(tool: string, atMs: number, labels: readonly string[] = [], session = 's1', digest = 'd'): TrackedCall {
  return new TrackedCall(atMs, session, { method: 'tools/call', server: 'files', tool, labels, arguments_digest: digest });
}

describe('history', () => {
  let history: History;
  beforeEach(() => {
    history = new History({ maxEntries: 5, windowMs, maxIdentities: 3 });
  });
  const entries = (key: string, atMs: number, session = 's1'): HistoryEntry[] =>
    JSON.parse(`[${history.look(key, atMs, session).entriesJson()}]`) as HistoryEntry[];
  const labels = (atMs: number, key = 'a'): readonly string[] => history.look(key, atMs, 's1').labels;
  const run = (call: TrackedCall, effect: string, outcome: HistoryEntry['outcome'], earned: readonly string[] = call.labels): void => {
    history.begin('a', call);
    history.settle('a', call, effect, outcome, earned, call.atMs);
  };

  it('shows a call in flight to the next one, and never to itself', () => {
    const first = tracked('read', startMs, ['private']);
    const seenByFirst = history.begin('a', first);
    assert.deepEqual([seenByFirst.entriesJson(), seenByFirst.labels, seenByFirst.calls1m], ['', [], 0]);
    const seenBySecond = history.begin('a', tracked('send', startMs + 1, [], 's2'));
    assert.deepEqual(JSON.parse(`[${seenBySecond.entriesJson()}]`), [
      {
        at: new Date(startMs).toISOString(),
        method: 'tools/call',
        server: 'files',
        tool: 'read',
        labels: ['private'],
        arguments_digest: 'd',
        effect: '',
        outcome: 'pending',
        same_session: false,
      },
    ]);
    assert.deepEqual([seenBySecond.labels, seenBySecond.calls1m, seenBySecond.calls1h], [['private'], 1, 1]);
    history.settle('a', first, 'allow', 'ok', ['private'], startMs + 2);
    assert.equal(entries('a', startMs + 3)[0]?.outcome, 'ok');
    assert.deepEqual(
      entries('a', startMs + 3).map((entry) => entry.same_session),
      [true, false],
    );
  });

  it('counts labels that policy gave a call from the decision on, while it is in flight', () => {
    const call = tracked('read', startMs);
    history.begin('a', call);
    assert.deepEqual(labels(startMs), []);
    history.carry(call, ['secret', 'private', 'secret']);
    assert.deepEqual(labels(startMs), ['private', 'secret']);
    assert.ok(entries('a', startMs)[0]?.labels.includes('secret'));
  });

  it('keeps the labels of every call in flight, also of more than it has entries for', () => {
    history.begin('a', tracked('read', startMs, ['private']));
    for (let at = 1; at <= 20; at++) history.begin('a', tracked(`other ${at}`, startMs + at));
    assert.equal(entries('a', startMs + 21).length, 5);
    assert.deepEqual(labels(startMs + 21), ['private']);
  });

  it('leaves no label of a call that was denied, and takes none away that another call earned', () => {
    run(tracked('denied', startMs, ['private']), 'deny', 'denied', []);
    assert.deepEqual(labels(startMs), []);
    run(tracked('read', startMs + 1, ['private']), 'allow', 'ok');
    for (let at = 2; at < 12; at++) run(tracked(`other ${at}`, startMs + at), 'allow', 'ok');
    run(tracked('denied', startMs + 20, ['private']), 'deny', 'denied', []);
    assert.deepEqual(labels(startMs + 21), ['private']);
  });

  it('forgets a label with its window, counted from when it was earned', () => {
    run(tracked('read', startMs, ['private']), 'allow', 'ok');
    run(tracked('denied', startMs + windowMs - 10, ['private']), 'deny', 'denied', []);
    assert.deepEqual(labels(startMs + windowMs), ['private']);
    assert.deepEqual(labels(startMs + windowMs + 1), []);
    assert.deepEqual(
      entries('a', startMs + windowMs + 1).map((entry) => entry.tool),
      ['denied'],
    );
  });

  it('belongs to the identity: sessions share it, identities do not', () => {
    run(tracked('read', startMs, ['private'], 'session one'), 'allow', 'ok');
    assert.deepEqual(history.look('a', startMs, 'session two').labels, ['private']);
    assert.deepEqual([labels(startMs, 'b'), entries('b', startMs)], [[], []]);
  });

  it('counts calls of the last minute and hour, and the same call apart', () => {
    for (let at = 0; at < 4; at++) history.begin('a', tracked('read', startMs + at * 10_000));
    history.begin('a', tracked('read', startMs + 40_000, [], 's1', 'other arguments'));
    const fifth = history.begin('a', tracked('read', startMs + 50_000));
    assert.deepEqual([fifth.calls1m, fifth.calls1h, fifth.sameCall1m], [5, 5, 4]);
    const later = history.begin('a', tracked('read', startMs + 75_000));
    assert.deepEqual([later.calls1m, later.calls1h, later.sameCall1m], [4, 6, 3]);
    const next = history.begin('a', tracked('read', startMs + 7_200_000));
    assert.deepEqual([next.calls1m, next.calls1h, next.sameCall1m], [0, 0, 0]);
  });

  it('never counts fewer than there were, whatever the times between calls', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30_000 }), { minLength: 1, maxLength: 60 }), (gaps) => {
        const one = new History({ maxEntries: 5, windowMs, maxIdentities: 3 });
        let atMs = startMs;
        const times: number[] = [];
        for (const gap of gaps) {
          atMs += gap;
          const view = one.begin('a', tracked('read', atMs));
          // Counted by whole seconds and minutes: what is a bit older may count, what is newer always does.
          assert.ok(view.calls1m >= times.filter((time) => time > atMs - 59_000).length);
          assert.ok(view.calls1m <= times.filter((time) => time > atMs - 61_000).length);
          assert.equal(view.sameCall1m, times.filter((time) => time > atMs - 60_000).length);
          assert.ok(view.calls1h >= times.filter((time) => time > atMs - 59 * 60_000).length);
          times.push(atMs);
        }
      }),
    );
  });

  it('is restored as it was: labels, entries and counts, and a call whose end is unknown', () => {
    history.restore('a', tracked('read', startMs, ['private']), 'allow', 'unknown');
    history.restore('a', tracked('denied', startMs + 10), 'deny', 'denied');
    const view = history.begin('a', tracked('read', startMs + 1000, [], 's2'));
    assert.deepEqual([view.labels, view.calls1m, view.calls1h, view.sameCall1m], [['private'], 2, 2, 1]);
    assert.deepEqual(
      entries('a', startMs + 1000).map((entry) => [entry.tool, entry.effect, entry.outcome]),
      [
        ['read', 'allow', 'unknown'],
        ['denied', 'deny', 'denied'],
        ['read', '', 'pending'],
      ],
    );
  });

  it('drops identities beyond its bound only once their window has passed', () => {
    for (const key of ['a', 'b', 'c', 'd']) {
      const call = tracked('read', startMs, ['private']);
      history.begin(key, call);
      history.settle(key, call, 'allow', 'ok', ['private'], startMs);
    }
    assert.deepEqual(labels(startMs + 1), ['private']);
    history.look('e', startMs + windowMs + 2, 's1');
    assert.deepEqual(entries('b', startMs + windowMs + 2), []);
  });
});
