import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileValidator, type Validator } from '../../src/model/validate.ts';
import { checkAnswer } from '../../src/policy/answer.ts';

const schema = JSON.parse(readFileSync(new URL('../../policies/schemas/decision.json', import.meta.url), 'utf8')) as Record<
  string,
  unknown
>;
const draft07 = { $schema: 'http://json-schema.org/draft-07/schema#' };
const validators = {
  'gateway/call': compileValidator({ ...schema, ...draft07 }),
  'gateway/list': compileValidator({ ...schema, ...draft07, $ref: '#/definitions/list' }),
  'gateway/mask': compileValidator({ ...schema, ...draft07, $ref: '#/definitions/mask' }),
} satisfies Record<string, Validator>;

const text = fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom('', '/a', 'access/tool', 'warn'));
const texts = fc.array(text, { maxLength: 3 });
const effect = fc.constantFrom('deny', 'require_approval', 'redact', 'allow', 'permit');
const count = fc.oneof(fc.integer({ min: -1, max: 9 }), fc.constant(1.5));
const optional = { requiredKeys: ['rule', 'effect', 'message'] as const };
const reason = { rule: text, effect, message: text, hint: text, severity: text, owner: text };
const terms = { quorum: count, expires_s: count, allow_self: fc.boolean() };
const answers = {
  'gateway/call': fc.record({
    version: fc.constantFrom(1, 1, 1, 2),
    effect,
    reasons: fc.array(fc.record(reason, { requiredKeys: [...optional.requiredKeys] }), { maxLength: 2 }),
    redactions: fc.array(
      fc.record(
        { rule: text, pointer: text, detector: text, as: fc.constantFrom('mask', 'hash', 'drop', 'replace', 'keep'), with: text },
        { requiredKeys: ['rule', 'as'] },
      ),
      { maxLength: 2 },
    ),
    approval: fc.oneof(
      fc.constant(null),
      fc.record({
        ...terms,
        groups: texts,
        rules: texts,
        terms: fc.array(fc.record({ ...terms, rule: text, groups: texts }), { maxLength: 2 }),
      }),
    ),
    labels: texts,
    limits: fc.array(fc.record({ rule: text, key: text, max: count, per_s: count }), { maxLength: 2 }),
    dry_run: fc.array(
      fc.record(
        { ...reason, enforcement: fc.constantFrom('warn', 'dry_run', 'enforce') },
        { requiredKeys: ['rule', 'effect', 'message', 'enforcement'] },
      ),
      {
        maxLength: 1,
      },
    ),
  }),
  'gateway/list': fc.record({ version: fc.constantFrom(1, 2), visible: texts }),
  'gateway/mask': fc.record({
    version: fc.constantFrom(1, 2),
    redactions: fc.array(fc.record({ rule: text, pointer: text, as: fc.constantFrom('mask', 'x') }), { maxLength: 2 }),
    drop: fc.oneof(fc.boolean(), text),
  }),
} as const;

/** One damage at a random place: a key dropped, added, or its value replaced. */
const damage = fc.record({
  path: fc.array(fc.nat(7), { maxLength: 3 }),
  how: fc.constantFrom('none', 'none', 'drop', 'add', 'swap'),
  value: fc.jsonValue(),
});

function damaged(value: unknown, { path, how, value: other }: { path: number[]; how: string; value: unknown }): unknown {
  const copy = structuredClone(value);
  let at = copy as Record<string, unknown>;
  for (const step of path) {
    const next = Object.values(at)[step];
    if (typeof next !== 'object' || next === null) break;
    at = next as Record<string, unknown>;
  }
  const key = Object.keys(at)[path.at(-1) ?? 0];
  if (how === 'drop' && key !== undefined && !Array.isArray(at)) Reflect.deleteProperty(at, key);
  if (how === 'swap' && key !== undefined) at[key] = other;
  if (how === 'add') {
    if (Array.isArray(at)) at.push(other);
    else at['extra'] = other;
  }
  return copy;
}

for (const entry of ['gateway/call', 'gateway/list', 'gateway/mask'] as const) {
  test(`the check of \`${entry}\` and the published schema accept the same answers`, () => {
    let accepted = 0;
    fc.assert(
      fc.property(answers[entry] as fc.Arbitrary<unknown>, damage, (answer, harm) => {
        const value = JSON.parse(JSON.stringify(damaged(answer, harm))) as unknown;
        const [ours, theirs] = [checkAnswer(entry, value), validators[entry](value)];
        assert.equal(ours === undefined, theirs === undefined, `${ours} / ${theirs}: ${JSON.stringify(value)}`);
        if (ours === undefined) accepted++;
      }),
      { numRuns: 5_000 },
    );
    assert.ok(accepted > 2, `only ${accepted} were good`);
  });
}

test('an integer that a double cannot hold is refused, though the schema would take its neighbour', () => {
  const limit = { rule: 'a/b', key: 'k', max: 9_007_199_254_740_992, per_s: 1 };
  const answer = { version: 1, effect: 'allow', reasons: [], redactions: [], approval: null, labels: [], limits: [limit], dry_run: [] };
  assert.equal(checkAnswer('gateway/call', answer), '/limits/0/max must be an integer from 0');
});

test('a field from the prototype is no field', () => {
  assert.match(checkAnswer('gateway/list', JSON.parse('{"version":1,"visible":[],"__proto__":1}')) ?? '', /must not have `__proto__`/);
  assert.match(checkAnswer('gateway/list', Object.create({ version: 1, visible: [] })) ?? '', /must have/);
});
