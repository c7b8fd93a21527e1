import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type { Json, JsonObject } from '../../src/model/json.ts';
import { compileValidator } from '../../src/model/validate.ts';
import { Opa } from '../../src/rego/opa.ts';
import { Narrowing } from '../../src/workshop/narrowing.ts';
import { prove } from '../../src/workshop/prove.ts';
import { readStatements } from '../../src/workshop/statements.ts';
import { wholeInput } from '../../src/workshop/tool-question.ts';
import { definitionOf, environmentJson, factsOf, filesWith, identity, releaseOf } from './fixture.ts';

const text = fc.constantFrom('EUR', 'USD', '/srv/', '/srv/a', 'read', '');
const number = fc.constantFrom(-1, 0, 2, 2.5, 7, 100);
const textual = fc.constantFrom('input.arguments.word', 'input.arguments.mode');
const numeric = fc.constantFrom('input.arguments.amount', 'input.arguments.count');
const argument = fc.oneof(textual, numeric, fc.constant('input.arguments.flag'));
const list = fc.array(fc.oneof(text, number), { minLength: 1, maxLength: 3 }).map((values) => JSON.stringify(values));

/** Conditions of every form that is understood, and some that are not. */
const condition: fc.Arbitrary<string> = fc.oneof(
  fc.tuple(numeric, fc.constantFrom('<', '<=', '>', '>=', '==', '!='), number).map(([path, sign, value]) => `${path} ${sign} ${value}`),
  fc.tuple(number, fc.constantFrom('<', '<=', '>', '>='), argument).map(([value, sign, path]) => `${value} ${sign} ${path}`),
  fc.tuple(textual, fc.constantFrom('==', '!=', '<', '>'), text).map(([path, sign, value]) => `${path} ${sign} ${JSON.stringify(value)}`),
  fc.tuple(argument, list).map(([path, values]) => `${path} in ${values}`),
  fc.tuple(argument, list).map(([path, values]) => `some one in ${values};\n\t${path} == one`),
  fc.tuple(textual, text).map(([path, value]) => `startswith(${path}, ${JSON.stringify(value)})`),
  fc.tuple(textual, text).map(([path, value]) => `endswith(${path}, ${JSON.stringify(value)})`),
  fc.tuple(numeric, number).map(([path, value]) => `${path} + 1 > ${value}`),
  fc.constantFrom('input.arguments.flag', 'count(input.arguments.list) > 1', 'input.usage.calls_1m > 3', 'is_string(input.arguments.word)'),
  fc.constantFrom('some item in input.arguments.list;\n\titem == "EUR"', 'input.arguments.nested.deep == 2', 'input.arguments == {}'),
);
const expression = fc
  .tuple(fc.boolean(), condition)
  .map(([isNegated, body]) => (isNegated && !body.startsWith('some') ? `not ${body}` : body));
const body = fc
  .array(expression, { minLength: 1, maxLength: 3 })
  .map((parts) => parts.map((part, index) => part.replace(/\b(one|item)\b/g, `$1${index}`)).join(';\n\t'));
const message = fc.constantFrom(
  '"no"',
  'sprintf("no %v", [input.arguments.word])',
  'concat("", ["no ", input.arguments.word])',
  '{"message": $"no {input.arguments.amount}"}',
);
interface Rules {
  readonly allow: readonly string[];
  readonly deny: readonly { readonly body: string; readonly message: string; readonly viaHelper: boolean }[];
}
const rules: fc.Arbitrary<Rules> = fc.record({
  allow: fc.array(body, { maxLength: 2 }),
  deny: fc.array(fc.record({ body, message, viaHelper: fc.boolean() }), { maxLength: 3 }),
});

const properties: JsonObject = {
  word: { type: 'string' },
  mode: { enum: ['read', 'EUR', 'USD', '/srv/a', null, 7] },
  amount: { type: 'number' },
  count: { type: ['integer', 'string'] },
  flag: { type: 'boolean' },
  list: { type: 'array' },
  nested: {},
};
const words = fc.constantFrom<Json>('EUR', 'USD', '/srv/', '/srv/a', '/srv/ab', 'read', '', 'x');
const numbers = fc.oneof(fc.constantFrom<Json>(-2, -1, 0, 1, 2, 2.5, 3, 7, 8, 100, 101), fc.double({ noNaN: true, min: -200, max: 200 }));
const call = fc.record(
  {
    word: words,
    mode: fc.constantFrom<Json>(...(properties['mode'] as { readonly enum: readonly Json[] }).enum),
    amount: numbers,
    count: fc.oneof(fc.integer({ min: -2, max: 101 }), words),
    flag: fc.boolean(),
    list: fc.constantFrom<Json>([], ['EUR'], ['a', 'b']),
    nested: fc.constantFrom<Json>({}, { deep: 2 }, 2),
  },
  { requiredKeys: [] },
);
/** Another one looks at other rules: `FC_SEED=7 node --test …`. */
const seed = Number(process.env['FC_SEED'] ?? 20_261_121);
const toolCount = 30;

let opa: Opa;
before(() => void (opa = new Opa()));
after(() => opa.close());

/** One release for all: each tool has its own rules. */
function regoOf(all: readonly Rules[]): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [index, { allow, deny }] of all.entries()) {
    const guard = `input.tool.name == "t${index}"`;
    const lines = [`package rules.random.t${index}`, 'about := rego.metadata.chain()'];
    // Where nothing is said all is allowed, or most tools could be narrowed to nothing.
    if (allow.length === 0) lines.push(`allow contains "all" if ${guard}`);
    for (const [at, one] of allow.entries()) lines.push(`allow contains "a${at}" if {\n\t${guard};\n\t${one}\n}`);
    for (const [at, one] of deny.entries()) {
      if (one.viaHelper)
        lines.push(`_good${at} if {\n\t${one.body}\n}`, `deny contains ${one.message} if {\n\t${guard};\n\tnot _good${at}\n}`);
      else lines.push(`deny contains ${one.message} if {\n\t${guard};\n\t${one.body}\n}`);
    }
    files[`rules/random/t${index}.rego`] = `${lines.join('\n\n')}\n`;
  }
  return files;
}

test(
  'whatever the rules are: what a narrowed schema refuses is denied, and what is proved is so',
  { timeout: 120_000 },
  async (context) => {
    const all = fc.sample(rules, { seed, numRuns: toolCount });
    const files = await filesWith(regoOf(all));
    const release = await releaseOf(opa, files);
    try {
      const narrowing = new Narrowing({
        withRego: (work) => work(opa),
        filesOf: () => Promise.resolve(files),
        onError: (error) => assert.fail(String(error)),
      });
      const tools = all.map((_, index) => ({
        facts: factsOf('random', `t${index}`),
        definition: definitionOf(`t${index}`, properties, index % 2 === 0 ? ['word'] : []),
      }));
      const list = (): readonly JsonObject[] =>
        tools.map(({ facts, definition }) => narrowing.list({ release, identity, environmentJson })(facts, definition));
      list();
      await narrowing.settled();
      const narrowed = list();
      const statements = readStatements({
        version: 1,
        statements: [{ deny: 'allow' }, { allow: 'deny' }].flatMap((_, which) =>
          tools.map(({ facts }) => ({
            name: `${which} ${facts.name}`,
            who: { groups: [...identity.groups] },
            tools: { name: facts.name },
            given: { usage: { calls_1m: 0, calls_1h: 0, same_call_1m: 0 } },
            only: which === 0 ? ['deny'] : ['allow'],
          })),
        ),
      });
      const environment = JSON.parse(environmentJson) as { readonly name: string; readonly labels: JsonObject };
      const decide = async (inputJson: string): Promise<'deny' | 'allow' | 'redact' | 'require_approval'> => {
        const evaluation = await release.engine.evaluate('gateway/call', inputJson, 2_000);
        return evaluation.ok ? evaluation.answer.effect : 'deny';
      };
      const rows = tools.map(({ facts, definition }) => ({ facts, inputSchema: definition['inputSchema'] as JsonObject }));
      const proofs = await prove(opa, { files, statements, tools: rows, environment, decide });

      let refused = 0;
      for (const [index, { facts, definition }] of tools.entries()) {
        const before = compileValidator(definition['inputSchema'] as JsonObject);
        const now = compileValidator(narrowed[index]?.['inputSchema'] as JsonObject);
        const [alwaysDenied, alwaysAllowed] = [proofs[index], proofs[index + toolCount]];
        const where = (given: object): string => `${JSON.stringify(given)}\n${files[`rules/random/t${index}.rego`] ?? ''}`;
        for (const given of fc.sample(call, { seed: seed + index, numRuns: 150 })) {
          if (before(given) !== undefined) continue;
          const effect = await decide(
            JSON.stringify(
              wholeInput({ identity: { groups: identity.groups }, tool: facts, environment }, { arguments: given as JsonObject }),
            ),
          );
          if (now(given) !== undefined) {
            refused++;
            assert.equal(effect, 'deny', `refused by ${JSON.stringify(narrowed[index])}: ${where(given)}`);
          }
          if (alwaysDenied?.outcome === 'holds') assert.equal(effect, 'deny', where(given));
          if (alwaysAllowed?.outcome === 'holds') assert.equal(effect, 'allow', where(given));
        }
      }
      const count = (outcome: string): number => proofs.filter((one) => one.outcome === outcome).length;
      const changed = narrowed.filter((definition, index) => definition !== tools[index]?.definition).length;
      context.diagnostic(
        `${changed} of ${toolCount} narrowed, ${refused} calls refused; ${count('holds')} proved, ${count('broken')} broken, ${count('unknown')} unknown`,
      );
      assert.ok(changed >= 5 && refused >= 100 && count('holds') >= 3 && count('broken') >= 20, 'enough was looked at');
    } finally {
      await release.engine.close();
    }
  },
);
