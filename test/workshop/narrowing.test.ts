import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { Json, JsonObject } from '../../src/model/json.ts';
import type { ActiveRelease } from '../../src/model/ports.ts';
import { compileValidator } from '../../src/model/validate.ts';
import { Opa } from '../../src/rego/opa.ts';
import { Narrowing } from '../../src/workshop/narrowing.ts';
import { wholeInput } from '../../src/workshop/tool-question.ts';
import { definitionOf, environmentJson, factsOf, filesWith, identity, releaseOf, rule } from './fixture.ts';

const allowed = rule('access/all', 'allow contains "yes" if input.target.kind == "tool"');
const text = { type: 'string' };
const number = { type: 'number' };
const texts: readonly string[] = ['EUR', 'USD', 'CHF', '/srv/a', '/srv', '/srv/public/x', '/tmp', 'read', 'write', 'delete', '', '/srv/.*'];
const numbers: readonly number[] = [-1, 0, 1, 2, 3, 4, 5, 5.5, 10, 99, 99.9, 100, 100.1, 101, 1e9];

interface Row {
  readonly title: string;
  /** Bodies of rules besides one that allows all; `allow` replaces that one. */
  readonly rules: Readonly<Record<string, string>>;
  readonly data?: object;
  readonly properties: JsonObject;
  readonly required?: readonly string[];
  /** Properties after narrowing; those left out are unchanged. */
  readonly expect: JsonObject;
}

const deny = (body: string): Record<string, string> => ({ ...allowed, ...rule('limits/one', body) });

const rows: readonly Row[] = [
  {
    title: 'a number that is refused above a bound',
    rules: deny('deny contains "too much" if input.arguments.amount > 100'),
    properties: { amount: number },
    expect: { amount: { ...number, maximum: 100 } },
  },
  {
    title: 'a bound that is refused itself',
    rules: deny('deny contains "too little" if 5 >= input.arguments.amount'),
    properties: { amount: { ...number, minimum: 0, default: 3 } },
    expect: { amount: { ...number, minimum: 0, exclusiveMinimum: 5 } },
  },
  {
    title: 'what is not one of a list, with a message made of the value',
    rules: deny('deny contains sprintf("not %v", [input.arguments.currency]) if not input.arguments.currency in ["EUR", "USD"]'),
    properties: { currency: text },
    expect: { currency: { ...text, enum: ['EUR', 'USD'] } },
  },
  {
    title: 'a list in data, through a helper rule and a helper function',
    rules: deny('deny contains "no" if not _known\n_known if _is(input.arguments.currency)\n_is(code) if data.currencies[code] == true'),
    data: { currencies: { CHF: true, EUR: true, XXX: false } },
    properties: { currency: text },
    expect: { currency: { ...text, enum: ['CHF', 'EUR'] } },
  },
  {
    title: 'a prefix, and characters that mean something in a pattern',
    rules: deny(
      'deny contains {"message": concat("", ["not ", input.arguments.path])} if not _inside\n_inside if startswith(input.arguments.path, "/srv/.*")\n_inside if startswith(input.arguments.path, "/srv/public/")',
    ),
    properties: { path: text },
    expect: { path: { ...text, pattern: '^(\\/srv\\/\\.\\*|\\/srv\\/public\\/)' } },
  },
  {
    title: 'a listed value that is refused',
    rules: deny('deny contains "no" if input.arguments.mode == "delete"\ndeny contains "nor this" if input.arguments.force'),
    properties: { mode: { ...text, enum: ['read', 'write', 'delete'] }, force: { type: 'boolean' } },
    expect: { mode: { ...text, enum: ['read', 'write'] }, force: { type: 'boolean', enum: [false] } },
  },
  {
    title: 'what no rule that allows would allow',
    rules: {
      ...rule('access/a', 'allow contains "a" if { input.arguments.mode == "read"; input.arguments.amount <= 100 }'),
      ...rule('access/b', 'allow contains "b" if { input.arguments.mode in ["write", "read"]; input.arguments.amount < 5 }'),
    },
    properties: { mode: text, amount: number },
    expect: { mode: { ...text, enum: ['read', 'write'] }, amount: { ...number, maximum: 100 } },
  },
  {
    title: 'nothing where the refusal needs something else too',
    rules: deny(
      'deny contains "both" if { input.arguments.amount > 100; input.arguments.mode == "write" }\ndeny contains "late" if { input.arguments.amount > 3; input.usage.calls_1m > 5 }',
    ),
    properties: { amount: number, mode: text },
    expect: {},
  },
  {
    title: 'nothing where only a human is asked, or a value changed',
    rules: deny(
      'require_approval contains "ask" if input.arguments.amount > 100\nredact contains {"pointer": "/arguments/mode", "as": "mask"} if input.arguments.mode == "delete"',
    ),
    properties: { amount: number, mode: { ...text, enum: ['read', 'delete'] } },
    expect: {},
  },
  {
    title: 'nothing where a rule is only watched',
    rules: deny('deny contains "too much" if input.arguments.amount > 100'),
    data: { enforcement: { 'limits/one': 'dry_run' } },
    properties: { amount: number },
    expect: {},
  },
  {
    title: 'nothing where the message of the refusal may not be computable',
    rules: deny('deny contains concat("", ["not ", input.arguments.other]) if input.arguments.amount > 100'),
    properties: { amount: number, other: text },
    expect: {},
  },
  {
    title: 'the same message where the other argument is always there',
    rules: deny('deny contains concat("", ["not ", input.arguments.other]) if input.arguments.amount > 100'),
    properties: { amount: number, other: text },
    required: ['other'],
    expect: { amount: { ...number, maximum: 100 } },
  },
  {
    title: 'nothing for what is not understood: patterns, other types, elements of a list, the time',
    rules: deny(
      'deny contains "r" if not regex.match("^/srv", input.arguments.path)\ndeny contains "t" if to_number(input.arguments.mode) > 3\ndeny contains "l" if { some one in input.arguments.list; not startswith(one, "/srv") }\ndeny contains "n" if { input.arguments.amount > 5; time.now_ns() > 7 }',
    ),
    properties: { path: text, mode: text, list: { type: 'array', items: text }, amount: number },
    expect: {},
  },
];

describe('narrowed lists', () => {
  let opa: Opa;
  before(() => void (opa = new Opa()));
  after(() => opa.close());

  const narrow = async (release: ActiveRelease, files: Readonly<Record<string, string>>, definition: JsonObject): Promise<JsonObject> => {
    const errors: unknown[] = [];
    const narrowing = new Narrowing({
      withRego: (work) => work(opa),
      filesOf: () => Promise.resolve(files),
      onError: (error) => errors.push(error),
    });
    const facts = factsOf('billing', 'refund');
    const list = (): JsonObject => narrowing.list({ release, identity, environmentJson })(facts, definition);
    assert.equal(list(), definition, 'the first list shows it as it is');
    await narrowing.settled();
    assert.deepEqual(errors, []);
    return list();
  };

  for (const { title, rules, data = {}, properties, required = [], expect } of rows) {
    test(`${title}: what is refused by the narrowed schema is denied`, async () => {
      const files = await filesWith(rules, data);
      const release = await releaseOf(opa, files);
      try {
        const definition = definitionOf('refund', properties, required);
        const narrowed = await narrow(release, files, definition);
        const given = (narrowed['inputSchema'] as JsonObject)['properties'] as JsonObject;
        assert.deepEqual(given, { ...properties, ...expect });
        await assertSound(release, definition, narrowed);
      } finally {
        await release.engine.close();
      }
    });
  }

  test('a release that combines in its own way is not narrowed', async () => {
    const files = await filesWith(deny('deny contains "too much" if input.arguments.amount > 100'));
    files['gateway/call.rego'] =
      'package gateway\n\n# METADATA\n# entrypoint: true\ncall := {"version": 1, "effect": "allow", "reasons": [], "redactions": [], "labels": [], "limits": [], "dry_run": []}\n';
    const release = await releaseOf(opa, files);
    try {
      const definition = definitionOf('refund', { amount: number });
      assert.equal(await narrow(release, files, definition), definition);
    } finally {
      await release.engine.close();
    }
  });

  test('an answer outlives the process: asked again, OPA is not started', async () => {
    const files = await filesWith(deny('deny contains "too much" if input.arguments.amount > 100'));
    const release = await releaseOf(opa, files);
    const disk = new Map<string, string>();
    const facts = factsOf('billing', 'refund');
    const definition = definitionOf('refund', { amount: number });
    const started: string[] = [];
    const process = async (name: string): Promise<JsonObject> => {
      const narrowing = new Narrowing({
        withRego: (work) => {
          started.push(name);
          return work(opa);
        },
        filesOf: () => Promise.resolve(files),
        outlive: {
          read: (digest) => Promise.resolve(disk.get(digest)),
          write: (digest, json) => Promise.resolve(void disk.set(digest, json)),
        },
        onError: (error) => assert.fail(String(error)),
      });
      const list = (): JsonObject => narrowing.list({ release, identity, environmentJson })(facts, definition);
      list();
      await narrowing.settled();
      return list();
    };
    try {
      const first = await process('first');
      assert.notEqual(first, definition);
      assert.deepEqual(await process('second'), first);
      assert.deepEqual(new Set(started), new Set(['first']));
      // What another version of the analysis answered counts for nothing.
      for (const [digest, json] of disk) disk.set(digest, json.replace('"analysis":', '"analysis":9'));
      assert.deepEqual(await process('third'), first);
      assert.ok(started.includes('third'));
    } finally {
      await release.engine.close();
    }
  });

  test('a policy that is not at hand any more narrows nothing', async () => {
    const files = await filesWith(deny('deny contains "too much" if input.arguments.amount > 100'));
    const release = await releaseOf(opa, files);
    try {
      const narrowing = new Narrowing({
        withRego: (work) => work(opa),
        filesOf: () => Promise.resolve(undefined),
        onError: (error) => assert.fail(String(error)),
      });
      const [facts, definition] = [factsOf('billing', 'refund'), definitionOf('refund', { amount: number })];
      const list = (): JsonObject => narrowing.list({ release, identity, environmentJson })(facts, definition);
      list();
      await narrowing.settled();
      assert.equal(list(), definition);
    } finally {
      await release.engine.close();
    }
  });
});

/** Arguments that fit the tool's schema and not the narrowed one are denied by the compiled policy. */
async function assertSound(release: ActiveRelease, definition: JsonObject, narrowed: JsonObject): Promise<void> {
  const before = compileValidator(definition['inputSchema'] as JsonObject);
  const now = compileValidator(narrowed['inputSchema'] as JsonObject);
  const value: fc.Arbitrary<Json> = fc.oneof(
    fc.constantFrom<Json>(...texts, ...numbers, true, false, null),
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom<Json>([], ['/srv'], {}),
  );
  const properties = Object.keys((definition['inputSchema'] as JsonObject)['properties'] as JsonObject);
  const call = fc.record(Object.fromEntries(properties.map((name) => [name, value])), { requiredKeys: [] });
  const question = {
    identity: { groups: identity.groups },
    tool: factsOf('billing', 'refund'),
    environment: JSON.parse(environmentJson) as { name: string; labels: JsonObject },
  };
  await fc.assert(
    fc.asyncProperty(call, async (given) => {
      if (before(given) !== undefined || now(given) === undefined) return;
      const input = wholeInput(question, { arguments: given });
      const evaluation = await release.engine.evaluate('gateway/call', JSON.stringify(input), 1_000);
      assert.ok(evaluation.ok, evaluation.ok ? '' : evaluation.message);
      assert.equal(evaluation.answer.effect, 'deny', JSON.stringify(given));
    }),
    { numRuns: 300 },
  );
}
