import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { PolicyFault } from '../../src/model/decision.ts';
import type { PolicyEngine } from '../../src/model/ports.ts';
import { createPolicyEngine } from '../../src/policy/pool.ts';
import { allowText, Compiler } from './compile.ts';

const compiler = new Compiler();
after(() => compiler.close());

/** A decision in Rego, with the given fields in place of the plain ones. */
const decision = (fields: string): string => `object.union(${allowText}, ${fields})`;

/** Every way that a policy can be broken and still compile: what is asked, the fault, and words of the message. */
const broken: readonly [title: string, body: string, fault: PolicyFault, message: RegExp][] = [
  ['is undefined', `${allowText} if input.nothing`, 'undefined', /`gateway\/call` is undefined for this input/],
  ['answers true', 'true', 'malformed', /must be an object/],
  ['answers a string', '"allow"', 'malformed', /must be an object/],
  ['answers null', 'null', 'malformed', /must be an object/],
  ['answers a number', '1', 'malformed', /must be an object/],
  ['answers a list', '["allow"]', 'malformed', /must be an object/],
  ['answers a set', '{"allow"}', 'malformed', /must be an object/],
  ['answers an empty object', '{}', 'malformed', /must have `version`/],
  ['answers the older `{"allow": true}`', '{"allow": true}', 'malformed', /must have `version`/],
  ['gives another version', decision('{"version": 2}'), 'malformed', /\/version must be one of 1/],
  ['gives an unknown effect', decision('{"effect": "permit"}'), 'malformed', /\/effect must be a known effect/],
  ['writes the effect in capitals', decision('{"effect": "ALLOW"}'), 'malformed', /\/effect/],
  ['gives no effect', `object.remove(${allowText}, ["effect"])`, 'malformed', /must have `effect`/],
  ['adds an unknown field', decision('{"obligations": []}'), 'malformed', /must not have `obligations`/],
  [
    'adds an unknown field to a reason',
    decision('{"reasons": [{"rule": "a/b", "effect": "allow", "message": "", "msg": 1}]}'),
    'malformed',
    /\/reasons\/0 must not have `msg`/,
  ],
  [
    'gives a reason without a rule',
    decision('{"reasons": [{"effect": "allow", "message": "x"}]}'),
    'malformed',
    /\/reasons\/0 must have `rule`/,
  ],
  ['denies without a reason', decision('{"effect": "deny"}'), 'malformed', /\/reasons must not be empty/],
  [
    'asks for approval without terms',
    decision('{"effect": "require_approval", "reasons": [{"rule": "a/b", "effect": "deny", "message": "x"}]}'),
    'malformed',
    /\/approval/,
  ],
  ['redacts nothing', decision('{"effect": "redact"}'), 'malformed', /\/redactions must not be empty/],
  [
    'redacts and says allow',
    decision('{"redactions": [{"rule": "a/b", "pointer": "/a", "as": "mask"}]}'),
    'malformed',
    /\/redactions must be empty/,
  ],
  [
    'redacts both a place and a finding',
    decision('{"effect": "redact", "redactions": [{"rule": "a/b", "pointer": "/a", "detector": "x", "as": "mask"}]}'),
    'malformed',
    /exactly one of/,
  ],
  [
    'redacts in an unknown way',
    decision('{"effect": "redact", "redactions": [{"rule": "a/b", "pointer": "/a", "as": "rot13"}]}'),
    'malformed',
    /\/as must be one of/,
  ],
  [
    'limits with a fraction',
    decision('{"limits": [{"rule": "a/b", "key": "k", "max": 1.5, "per_s": 60}]}'),
    'malformed',
    /must be an integer/,
  ],
  [
    'limits beyond 2^53',
    decision('{"limits": [{"rule": "a/b", "key": "k", "max": 9007199254740993, "per_s": 60}]}'),
    'malformed',
    /must be an integer/,
  ],
  ['contradicts itself', `${allowText}\n\ncall := ${decision('{"labels": ["x"]}')}`, 'error', /conflict/],
  ['has an object with two values for a key', `${allowText} if {x := {"a": v | some v in [1, 2]}; x.a}`, 'error', /conflict|multiple/],
  ['asks for the time and the input has none', `${allowText} if not time.now_ns() == 1`, 'error', /has no `at_ns`/],
  [
    'loops',
    `${allowText} if {xs := numbers.range(1, 1000); some a in xs; some b in xs; some c in xs; c < 0; b < 0; a < 0}`,
    'timeout',
    /longer than 50 ms/,
  ],
  [
    'takes all memory',
    `${allowText} if count([[a, b] | some a in numbers.range(1, 2000); some b in numbers.range(1, 2000)]) > 1`,
    'memory',
    /more memory/,
  ],
  ['takes all memory at once', `${allowText} if count(numbers.range(1, 100000000)) > 1`, 'memory', /more memory/],
];

describe('a policy that', () => {
  for (const [title, body, fault, message] of broken) {
    test(`${title} is a fault, and never an allow`, async () => {
      const engine = await compiler.engine(`call := ${body}`, {
        spares: 0,
        // A loop allocates as well: where the deadline is to end it, there is memory enough.
        maxMemoryBytes: (fault === 'timeout' ? 1_024 : 16) * 1_048_576,
        ...(fault === 'memory' ? { maxWaitMs: 5_000 } : {}),
      });
      try {
        const given = await engine.evaluate('gateway/call', '{}', fault === 'memory' ? 5_000 : 50);
        assert.equal(given.ok, false, JSON.stringify(given));
        assert.equal(given.fault, fault, given.message);
        assert.match(given.message, message);
      } finally {
        await engine.close();
      }
    });
  }
});

describe('one engine', () => {
  let engine: PolicyEngine;
  before(async () => {
    engine = await compiler.engine(
      [
        `call := ${allowText} if input.good`,
        'call := x if some x in input.values',
        'list := {"version": 1, "visible": input.names}',
        'mask := {"version": 1, "redactions": []}',
      ].join('\n'),
      {},
      ['gateway/call', 'gateway/list', 'gateway/mask'],
    );
  });
  after(() => engine.close());

  test('answers after every fault', async () => {
    for (const input of [
      '{}',
      '{"values": [1, 2]}',
      '{"values": [1]}',
      '{',
      '',
      '{"a": "\\ud800"}',
      '{"values": [true]}',
      'null',
      '0',
      '""',
      'false',
    ]) {
      assert.equal((await engine.evaluate('gateway/call', input, 50)).ok, false, input);
      assert.equal((await engine.evaluate('gateway/call', '{"good": true}', 50)).ok, true, input);
    }
  });

  test('tells an answer of one entrypoint from the same text of another', async () => {
    const list = '{"version": 1, "visible": []}';
    assert.equal((await engine.evaluate('gateway/list', '{"names": []}', 50)).ok, true);
    const call = await engine.evaluate('gateway/call', `{"values": [${list}]}`, 50);
    assert.deepEqual([call.ok, !call.ok && call.fault], [false, 'malformed']);
  });

  test('gives the same answer as one frozen object, which no caller can change', async () => {
    const [one, two] = await Promise.all([1, 2].map(async () => engine.evaluate('gateway/call', '{"good": true}', 50)));
    assert.ok(one?.ok && two?.ok);
    assert.equal(one.answer, two.answer);
    assert.throws(() => ((one.answer as { effect: string }).effect = 'deny'), TypeError);
    assert.throws(() => (one.answer.reasons as unknown[]).push(1), TypeError);
  });

  test('keeps more different answers apart than it remembers', async () => {
    const asked = Array.from({ length: 1_500 }, (_, index) => [`tool-${index % 1_100}`]);
    for (let round = 0; round < 2; round++) {
      const given = await Promise.all(asked.map(async (names) => engine.evaluate('gateway/list', JSON.stringify({ names }), 1_000)));
      given.forEach((evaluation, index) => assert.deepEqual(evaluation.ok && evaluation.answer.visible, asked[index]));
    }
  });

  test('gives an answer of a megabyte', async () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `a-rather-long-tool-name-with-the-number-${index}`);
    const given = await engine.evaluate('gateway/list', JSON.stringify({ names }), 2_000);
    assert.deepEqual(given.ok && given.answer.visible, names);
  });

  test('says that an entrypoint is not in the release', async () => {
    const given = await engine.evaluate('gateway/result', '{}', 50);
    assert.deepEqual(
      [given.ok, !given.ok && given.fault, !given.ok && given.message],
      [false, 'undefined', 'the release has no entrypoint `gateway/result`'],
    );
  });
});

test('a module that is no policy is refused when the engine is made', async () => {
  const empty = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  await assert.rejects(createPolicyEngine({ module: empty }), { code: 'policy.invalid' });
});

test('a release that needs a builtin which is not served is refused when the engine is made', async () => {
  const built = await compiler.build('call := crypto.sha256(input.a)');
  await assert.rejects(createPolicyEngine({ module: await WebAssembly.compile(built.wasm) }), {
    code: 'policy.invalid',
    message: /`crypto\.sha256`/,
  });
});
