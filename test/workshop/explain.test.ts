import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '../../src/model/json.ts';
import { Opa } from '../../src/rego/opa.ts';
import { readPolicySource } from '../../src/release/policy-source.ts';
import { explanationText } from '../../src/workshop/explain-text.ts';
import { explain, type Explanation, type SetExplanation } from '../../src/workshop/explain.ts';
import { filesWith, rule } from './fixture.ts';

const cases = JSON.parse(readFileSync(new URL('../../policy-tests/cases/access/tool_grant.json', import.meta.url), 'utf8')) as {
  readonly tool_grant: readonly { readonly input: JsonObject; readonly expect: JsonObject }[];
};

describe('explain', () => {
  let opa: Opa;
  let files: Readonly<Record<string, string>>;
  before(async () => {
    opa = new Opa();
    ({ files } = await readPolicySource(new URL('../../policies', import.meta.url).pathname, undefined));
  });
  after(() => opa.close());

  const input = (more: JsonObject = {}): string => JSON.stringify({ ...cases.tool_grant[0]?.input, ...more });
  const find = (sets: readonly SetExplanation[], name: string): SetExplanation => {
    const found = sets.find((one) => `${one.rule}.${one.set}` === name);
    assert.ok(found, name);
    return found;
  };

  test('every rule set of the phase has fired or says which expression was false', async () => {
    const { decision, fired, silent, entrypoint } = await explain(opa, { inputJson: input(), files });
    assert.equal(entrypoint, 'gateway/call');
    assert.deepEqual(decision, cases.tool_grant[0]?.expect);
    assert.deepEqual(
      fired.map((one) => [one.rule, one.set, one.members]),
      [['access/tool_grant', 'allow', ['granted to a group of the caller']]],
    );
    assert.ok(silent.length > 15);
    for (const { rule: name, definitions } of silent) {
      assert.ok(definitions.length > 0, name);
      for (const { failed, file } of definitions) assert.ok(failed !== undefined && failed.file === file && failed.row > 0, name);
    }
  });

  test('the false expression comes with its place and its values, also where the rule index would have passed it over', async () => {
    const { silent } = await explain(opa, { inputJson: input(), files });
    const [prompt] = find(silent, 'access/prompt_grant.allow').definitions;
    assert.deepEqual(
      { ...prompt?.failed, because: [] },
      {
        text: 'input.target.kind == "prompt"',
        file: 'rules/access/prompt_grant.rego',
        row: 16,
        values: { 'input.target.kind': '"tool"' },
        because: [],
      },
    );
    const [loop] = find(silent, 'limits/loop.deny').definitions;
    assert.deepEqual(loop?.failed?.values, { 'input.usage.same_call_1m': '0', 'data.limits.loop.same_call_1m': '8' });
    const [sql] = find(silent, 'arguments/sql_read_only.deny').definitions;
    assert.equal(sql?.failed?.values['data.sql.memory.create_entities'], 'undefined');
  });

  test('a helper says why in its turn, and under `not` what made it hold', async () => {
    const { silent } = await explain(opa, { inputJson: input(), files });
    const [undescribed] = find(silent, 'tools/undescribed.deny').definitions;
    assert.equal(undescribed?.failed?.text, 'not tool.described');
    assert.deepEqual(
      undescribed.failed.because.map(({ path, row, fired }) => [path, row, fired]),
      [
        ['data.lib.tool.described', 61, false],
        ['data.lib.tool.described', 63, true],
      ],
    );
  });

  test('the first to be false is the one that no values of the variables get past', async () => {
    const body = [
      'deny contains name if {',
      '\tsome name, value in input.arguments',
      '\tvalue > 10',
      '\tname != "b"',
      '\tvalue < 20',
      '}',
    ].join('\n');
    const odd = await filesWith({ ...rule('limits/one', body), ...rule('access/all', 'allow contains "x"') });
    const explained = async (given: JsonObject): Promise<Explanation> =>
      explain(opa, { inputJson: input({ arguments: given }), files: odd });
    const [none] = find((await explained({ a: 1, b: 15 })).silent, 'limits/one.deny').definitions;
    assert.equal(none?.failed?.text, 'name != "b"');
    assert.equal(none.failed.values['name'], '"b"');
    const [high] = find((await explained({ a: 1, b: 15, c: 30 })).silent, 'limits/one.deny').definitions;
    assert.deepEqual([high?.failed?.text, high?.failed?.values['value']], ['value < 20', '30']);
    assert.deepEqual(find((await explained({ c: 12 })).fired, 'limits/one.deny').members, ['c']);
  });

  test('the time is the input’s', async () => {
    const odd = await filesWith(rule('access/late', 'allow contains format_int(time.now_ns(), 10)'));
    const text = input().replace(/"at_ns":\d+/, '"at_ns":1795246200123000001');
    const { fired } = await explain(opa, { inputJson: text, files: odd });
    assert.deepEqual(fired[0]?.members, ['1795246200123000001']);
  });

  test('the text names file and line as one would type them', async () => {
    const text = explanationText(await explain(opa, { inputJson: input(), files }), 'policies');
    assert.match(text, /^gateway\/call: allow\n {2}allow {2}access\/tool_grant {2}granted to a group of the caller\n\nfired\n/);
    assert.match(
      text,
      / {6}policies\/rules\/limits\/loop\.rego:18 {2}input\.usage\.same_call_1m >= data\.limits\.loop\.same_call_1m\n {8}input\.usage\.same_call_1m is 0\n/,
    );
  });

  test('what is no input is refused', async () => {
    await assert.rejects(explain(opa, { inputJson: '{', files }), { code: 'request.invalid' });
    await assert.rejects(explain(opa, { inputJson: '{"phase":"list"}', files }), { code: 'request.invalid' });
  });
});
