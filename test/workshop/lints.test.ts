import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Opa } from '../../src/rego/opa.ts';
import { readPolicySource } from '../../src/release/policy-source.ts';
import { lintPolicies, lintSources, listLints, type LintFinding, type LintOptions } from '../../src/workshop/lint.ts';
import type { PolicyRepository } from '../../src/workshop/ports.ts';

const opa = new Opa();
after(() => opa.close());

/** Lines 1 to 5 of each rule below. */
const head = `# METADATA
# title: A rule
# description: Says something.
package rules.test.it

`;
const call = 'input.phase == "call"';

const asksForSets = `# METADATA
# title: Entrypoints
package gateway

${['allow', 'visible', 'deny', 'require_approval', 'redact', 'label', 'limit']
  .map((set) => `call contains member if some member in data.rules[_][_].${set}\n`)
  .join('\n')}
result := call

message := call

list := call

mask := {member | some member in data.rules[_][_].mask}
`;

const schema = JSON.stringify({
  type: 'object',
  properties: {
    phase: { type: 'string', enum: ['call', 'result', 'list', 'message'] },
    identity: { type: 'object', properties: { kind: { enum: ['user', 'service'] } } },
  },
});

const silentTest = 'package rules.test.it_test\n\ntest_it if true\n';

async function lint(rule: string, more: Partial<PolicyRepository> = {}, options: LintOptions = {}): Promise<readonly LintFinding[]> {
  return lintPolicies(
    opa,
    {
      policyFolder: 'policies',
      testsFolder: 'policy-tests',
      files: { 'gateway/gateway.rego': asksForSets, 'data.json': '{"words": {"own": "x"}}', 'rules/test/it.rego': rule },
      tests: { 'rules/test/it_test.rego': silentTest },
      cases: {},
      schemas: { 'input.json': schema },
      capabilities: undefined,
      ...more,
    },
    options,
  );
}

const short = ({ lint: id, file, row, col, message }: LintFinding): string =>
  `${id} ${file.replace('policies/', '')}:${row}:${col} ${message}`;

/** What is written, and what is found. */
const rows: readonly { readonly title: string; readonly rule: string; readonly found: readonly string[] }[] = [
  { title: 'a plain rule has nothing to it', rule: `${head}deny contains "no" if ${call}\n`, found: [] },
  {
    title: 'a rule without METADATA',
    rule: `package rules.test.it\n\ndeny contains "no" if ${call}\n`,
    found: ['metadata rules/test/it.rego:1:1 the rule `rules.test.it` has no METADATA'],
  },
  {
    title: 'METADATA without a description, and with values that nobody knows',
    rule: `# METADATA\n# title: A rule\n# custom:\n#   severity: urgent\n#   enforcement: dryrun\npackage rules.test.it\n\nabout := rego.metadata.chain()\n\ndeny contains "no" if ${call}\n`,
    found: [
      'metadata rules/test/it.rego:1:1 `custom.enforcement` is `dryrun`',
      'metadata rules/test/it.rego:1:1 `custom.severity` is `urgent`',
      'metadata rules/test/it.rego:1:1 the METADATA of `rules.test.it` has no description',
    ],
  },
  {
    title: 'a rule that is meant to be watched, and cannot say so',
    rule: `# METADATA\n# title: A rule\n# description: Says something.\n# custom:\n#   enforcement: dry_run\npackage rules.test.it\n\ndeny contains "no" if ${call}\n`,
    found: ['metadata rules/test/it.rego:1:1 `custom.enforcement` is not read, because the rule has no `about`'],
  },
  {
    title: 'a misspelt set',
    rule: `${head}denny contains "no" if ${call}\n`,
    found: ['known-sets rules/test/it.rego:6:1 `denny` is no set that the gateway reads'],
  },
  {
    title: 'a set of another name that nothing uses',
    rule: `${head}forbidden contains "no" if ${call}\n`,
    found: ['known-sets rules/test/it.rego:6:1 `forbidden` is no set that the gateway reads'],
  },
  {
    title: 'a private helper and a public one that is used are no sets of the gateway',
    rule: `${head}deny contains name if {\n\t${call}\n\tsome name in _names\n\tname in allowed\n}\n\n_names contains name if some name in input.names\n\nallowed contains name if some name in input.amounts\n`,
    found: [],
  },
  {
    title: 'a set written as a value',
    rule: `${head}deny if ${call}\n`,
    found: ['known-sets rules/test/it.rego:6:1 `deny` is not a set here, so it has no effect'],
  },
  {
    title: 'a field that the set does not have',
    rule: `${head}deny contains {"message": "no", "hnt": "try"} if ${call}\n`,
    found: ['member-fields rules/test/it.rego:6:33 `hnt` is no field of `deny`'],
  },
  {
    title: 'a redaction that names nothing, and another in a way that nobody knows',
    rule: `${head}redact contains {"message": "x"} if ${call}\n\nredact contains {"pointer": "/arguments/a", "as": "blank"} if ${call}\n`,
    found: [
      'member-fields rules/test/it.rego:6:17 this member of `redact` has no `detector` or `pointer`',
      'member-fields rules/test/it.rego:8:51 `blank` is no way to redact',
    ],
  },
  {
    title: 'fields that come from elsewhere are trusted, those written are read',
    rule: `${head}limit contains object.union({"message": "x", "mx": 3}, input.arguments) if ${call}\n`,
    found: ['member-fields rules/test/it.rego:6:46 `mx` is no field of `limit`'],
  },
  {
    title: 'a table as a literal',
    rule: `${head}deny contains "no" if {\n\t${call}\n\tinput.tool.name in {${Array.from({ length: 17 }, (_, i) => `"t${i}"`).join(', ')}}\n}\n`,
    found: ['table-literal rules/test/it.rego:8:21 a literal with 17 entries is built in each evaluation'],
  },
  {
    title: 'a growing replace on what an agent sent',
    rule: `${head}deny contains replace(input.arguments.text, "'", "''") if ${call}\n`,
    found: ['growing-replace rules/test/it.rego:6:15 `replace` on text from outside can make it longer'],
  },
  {
    title: 'a growing replace by way of a variable',
    rule: `${head}deny contains quoted if {\n\t${call}\n\ttext := input.arguments.text\n\tquoted := strings.replace_n({"'": "''"}, text)\n}\n`,
    found: ['growing-replace rules/test/it.rego:9:12 `strings.replace_n` on text from outside can make it longer'],
  },
  {
    title: 'a replace that shrinks, and one on our own text',
    rule: `${head}deny contains [replace(input.arguments.text, "''", "'"), replace(data.words.own, "a", "aa"), replace(own, "a", "aa")] if {\n\t${call}\n\town := data.words.own\n}\n`,
    found: [],
  },
  {
    title: 'data that is nowhere',
    rule: `${head}deny contains "no" if {\n\t${call}\n\tdata.wrods[input.tool.name]\n}\n`,
    found: ['never-fires rules/test/it.rego:6:1 `deny` can never have a member: there is no data `wrods`'],
  },
  {
    title: 'a helper that nothing uses',
    rule: `${head}deny contains "no" if ${call}\n\n_spare if input.tool.name == "x"\n`,
    found: ['unreachable rules/test/it.rego:8:1 no entrypoint reaches `rules/test/it/_spare`'],
  },
  {
    title: 'an allow with two phases at once',
    rule: `${head}allow contains "yes" if {\n\tinput.phase == "call"\n\tinput.phase == "list"\n}\n`,
    found: ['never-allows rules/test/it.rego:8:2 `allow` can never have a member: `input.phase = "call"` and `input.phase = "list"`'],
  },
  {
    title: 'an allow in a phase that the schema does not know',
    rule: `${head}allow contains "yes" if input.phase == "cal"\n`,
    found: [
      'never-allows rules/test/it.rego:6:25 `allow` can never have a member: `input.phase = "cal"` and `input.phase` is one of "call", "list", "message" where `allow` is asked for',
    ],
  },
  {
    title: 'an allow in a phase that is not asked for it',
    rule: `${head}allow contains "yes" if input.phase == "result"\n`,
    found: [
      'never-allows rules/test/it.rego:6:25 `allow` can never have a member: `input.phase = "result"` and `input.phase` is one of "call", "list", "message" where `allow` is asked for',
    ],
  },
  {
    title: 'an allow that a helper makes impossible',
    rule: `${head}allow contains "yes" if {\n\t${call}\n\t_possible\n}\n\n_possible if {\n\tx := 1\n\tx > 2\n}\n`,
    found: [
      'never-allows rules/test/it.rego:6:1 `allow` can never have a member: partial evaluation leaves nothing of it',
      'never-fires rules/test/it.rego:13:2 `_possible` can never be true here: `x = 1` and `x > 2`',
    ],
  },
  {
    title: 'an allow that contradicts its helper',
    rule: `${head}allow contains "yes" if {\n\tinput.identity.kind == "user"\n\t_service\n}\n\n_service if input.identity.kind == "service"\n`,
    found: [
      'never-allows rules/test/it.rego:6:1 `allow` can never have a member: `input.identity.kind = "service"` and `input.identity.kind = "user"`',
    ],
  },
  {
    title: 'a bound that leaves nothing',
    rule: `${head}deny contains "no" if {\n\t${call}\n\tinput.arguments.amount > 100\n\tinput.arguments.amount < 50\n}\n`,
    found: [
      'never-fires rules/test/it.rego:9:2 `deny` can never have a member: `input.arguments.amount > 100` and `input.arguments.amount < 50`',
    ],
  },
  {
    title: 'one dead body of a set that lives',
    rule: `${head}deny contains "no" if ${call}\n\ndeny contains "never" if {\n\t${call}\n\tinput.identity.kind == "robot"\n}\n`,
    found: [
      'never-fires rules/test/it.rego:10:2 `deny` can never be true here: `input.identity.kind = "robot"` and `input.identity.kind` is one of "service", "user" in the schema of the input',
    ],
  },
  {
    title: 'conditions under `not`, `with` and on different elements contradict nothing',
    rule: `${head}deny contains "no" if {\n\t${call}\n\tnot input.phase == "list"\n\t_x with input.phase as "list"\n\tinput.groups[_] == "a"\n\tinput.groups[_] == "b"\n}\n\n_x if input.phase == "list"\n`,
    found: [],
  },
];

describe('the lints find', () => {
  for (const { title, rule, found } of rows) {
    test(title, async () => assert.deepEqual((await lint(rule)).map(short), found));
  }

  test('a rule without a test', async () => {
    const rule = `${head}deny contains "no" if ${call}\n`;
    const [finding] = await lint(rule, { tests: { 'it_test.rego': 'package rules.test.it_test\n\n_nothing := 1\n' } });
    assert.deepEqual(finding && [short(finding), finding.cure], [
      'test-twin rules/test/it.rego:4:1 `rules.test.it` has no test',
      'add `policy-tests/rules/test/it_test.rego`, package `rules.test.it_test`, with `test_` rules',
    ]);
  });

  test('a rule at a depth where nobody looks', async () => {
    const found = await lint(`${head}deny contains "no" if ${call}\n`, {
      files: {
        'gateway/gateway.rego': asksForSets,
        'rules/deep.rego': `${head.replace('rules.test.it', 'rules.test.it.deep')}deny contains "no" if ${call}\n`,
      },
    });
    assert.deepEqual(
      found.map(short).filter((text) => text.startsWith('known-sets')),
      ['known-sets rules/deep.rego:4:1 the gateway does not look for rules in `rules.test.it.deep`'],
    );
  });
});

describe('lints can be switched', () => {
  const misspelt = `${head}denny contains "no" if ${call}\n`;
  const file = (text: string): LintOptions => ({ settingsFile: { name: '.castellan-lint.yaml', text } });

  test('off, on the command line, in the file and by a comment above the line', async () => {
    assert.deepEqual(await lint(misspelt, {}, { disable: ['known-sets', 'unreachable'] }), []);
    assert.deepEqual(await lint(misspelt, {}, file('disable: [known-sets, unreachable]\n')), []);
    assert.deepEqual(await lint(misspelt.replace('denny', '# lint-ignore: known-sets, unreachable\ndenny')), []);
    assert.deepEqual(await lint(misspelt, {}, file('ignore:\n  known-sets: ["policies/rules/test/**"]\n')), []);
  });

  test('to a warning', async () => {
    const [finding] = await lint(misspelt, {}, file('warn: [known-sets]\n'));
    assert.equal(finding?.level, 'warning');
  });

  test('to another size of table, and to further keys of METADATA', async () => {
    const found = await lint(
      `${head}deny contains "no" if {\n\t${call}\n\tinput.tool.name in {"a", "b", "c"}\n}\n`,
      {},
      file('table-literal: {max_entries: 2}\nmetadata: {require: [owner]}\n'),
    );
    assert.deepEqual(found.map(short), [
      'metadata rules/test/it.rego:1:1 the METADATA of `rules.test.it` has no `custom.owner`',
      'table-literal rules/test/it.rego:8:21 a literal with 3 entries is built in each evaluation',
    ]);
  });

  for (const [text, message] of [
    ['disable: [knwon-sets]\n', /`\.castellan-lint\.yaml`: `knwon-sets` is no lint; there are growing-replace, /],
    ['disabled: []\n', /`disabled` is no setting; there are disable, /],
    ['table-literal: 3\n', /`table-literal` must be `max_entries: <number>`/],
    ['disable: [\n', /it is no YAML/],
  ] as const) {
    test(`and a file that says ${JSON.stringify(text)} is refused`, () =>
      assert.rejects(lint(misspelt, {}, file(text)), { code: 'config.invalid', message }));
  }
});

describe('the lints themselves', () => {
  test('are formatted and compile strictly', async () => {
    const files = lintSources();
    assert.deepEqual(
      (await opa.format(files)).filter(({ changed }) => changed),
      [],
    );
    assert.deepEqual((await opa.check({ files, strict: true })).errors, []);
  });

  test('are in the manual, each with its id', async () => {
    const manual = readFileSync(new URL('../../docs/reference/policy-commands.md', import.meta.url), 'utf8');
    const missing = (await listLints(opa)).filter(({ lint: id }) => !manual.includes(`| \`${id}\` |`));
    assert.deepEqual(missing, []);
  });

  test('have nothing to say about the policies that ship', async () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const source = await readPolicySource(`${root}/policies`, `${root}/policy-tests`);
    assert.deepEqual(await lintPolicies(opa, { ...source, policyFolder: 'policies', testsFolder: 'policy-tests' }), []);
  });
});
