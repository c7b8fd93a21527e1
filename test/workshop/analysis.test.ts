import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { Json, JsonObject } from '../../src/model/json.ts';
import type { ActiveRelease } from '../../src/model/ports.ts';
import { compileValidator } from '../../src/model/validate.ts';
import { Opa } from '../../src/rego/opa.ts';
import { readPolicySource } from '../../src/release/policy-source.ts';
import { readTools } from '../../src/workshop/catalogue-file.ts';
import { matrixHtml } from '../../src/workshop/matrix-html.ts';
import { matrixCsv, matrixText } from '../../src/workshop/matrix-text.ts';
import { changedCells, rolesOfData, whoMayDoWhat, type Cell, type Matrix } from '../../src/workshop/matrix.ts';
import { prove, type Proof } from '../../src/workshop/prove.ts';
import { readStatements } from '../../src/workshop/statements.ts';
import { wholeInput } from '../../src/workshop/tool-question.ts';
import { filesWith, releaseOf, rule } from './fixture.ts';

const environment = { name: 'test', labels: {} };
const tools = readTools([
  {
    server: 'files',
    name: 'write_file',
    annotations: { destructiveHint: true },
    inputSchema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'], additionalProperties: false },
  },
  { server: 'memory', name: 'read_graph', annotations: { readOnlyHint: true } },
  { server: 'memory', name: 'delete_entities', labels: ['destructive'] },
  { server: 'everything', name: 'echo', labels: ['egress'] },
  { server: 'other', name: 'nobody_knows' },
]);

describe('what shipped policies mean', () => {
  let opa: Opa;
  let files: Readonly<Record<string, string>>;
  let release: ActiveRelease;
  let matrix: Matrix;
  before(async () => {
    opa = new Opa();
    ({ files } = await readPolicySource(new URL('../../policies', import.meta.url).pathname, undefined));
    release = await releaseOf(opa, files);
    const roles = rolesOfData(files['data.json'] ?? '{}');
    matrix = await whoMayDoWhat(opa, { files, roles, tools, environment });
  });
  after(async () => {
    await release.engine.close();
    await opa.close();
  });

  const cell = (tool: string, role: string): Cell => {
    const found = matrix.cells[matrix.tools.findIndex(({ name }) => name === tool)]?.[matrix.roles.indexOf(role)];
    assert.ok(found);
    return found;
  };

  test('the matrix says who may do what', () => {
    assert.deepEqual(matrix.roles, ['engineering', 'support', 'finance', '(no group)']);
    const row = (tool: string): string[] => matrix.roles.map((role) => cell(tool, role).effect);
    assert.deepEqual(row('write_file'), ['depends', 'denied', 'denied', 'denied']);
    assert.deepEqual(row('read_graph'), ['allowed', 'allowed', 'allowed', 'denied']);
    assert.deepEqual(row('delete_entities'), ['needs approval', 'denied', 'denied', 'denied']);
    assert.deepEqual(row('echo'), ['needs approval', 'denied', 'denied', 'denied']);
    assert.deepEqual(row('nobody_knows'), ['denied', 'denied', 'denied', 'denied']);
    assert.deepEqual(cell('nobody_knows', 'engineering').rules, ['tools/undescribed']);
    assert.deepEqual(cell('delete_entities', 'engineering').rules, ['approval/destructive']);
  });

  test('what a cell depends on is said in words: the arguments apart from the rest', () => {
    const { when } = cell('write_file', 'engineering');
    assert.deepEqual(
      when.map(({ outcome, rule: name }) => [outcome, name]),
      [
        ['denied', 'arguments/leading_dash'],
        ['denied', 'arguments/path'],
        ['needs approval', ''],
      ],
    );
    assert.match(when[1]?.words ?? '', /data\.lib\.paths\.fault\(input\.arguments\.path\)/);
    assert.doesNotMatch(when[1]?.words ?? '', /destination/, 'an argument that the tool does not have plays no part');
    assert.deepEqual(
      cell('echo', 'engineering').unless.map(({ words }) => words),
      [
        '`input.session.labels` contains "private"',
        '`input.usage.same_call_1m` is at least 8',
        '`input.usage.calls_1m` is at least 120 or `input.usage.calls_1h` is at least 3000',
        '`startswith(input.findings[_].detector, "secret.")`',
        '`input.findings[_].detector == "content.too_large"`',
      ],
    );
  });

  test('no call is answered otherwise than its cell says', async () => {
    const values = fc.oneof(fc.constantFrom<Json>('a.txt', '../x', '-rf', '/etc/passwd', '~x', 1, null), fc.string());
    const call = fc.record({
      row: fc.nat(tools.length - 1),
      column: fc.nat(matrix.roles.length - 1),
      arguments: fc.dictionary(fc.constantFrom('path', 'source', 'message', 'entityNames'), values, { maxKeys: 3 }),
      calls: fc.constantFrom(0, 3, 119, 120, 5000),
      labels: fc.constantFrom([], ['private'], ['untrusted']),
      findings: fc.constantFrom<Json[]>([], [{ detector: 'secret.x', pointer: '/arguments/path', count: 1 }]),
    });
    await fc.assert(
      fc.asyncProperty(call, async (given) => {
        const tool = tools[given.row];
        const found = matrix.cells[given.row]?.[given.column];
        assert.ok(tool && found);
        if (tool.inputSchema !== undefined && compileValidator(tool.inputSchema)(given.arguments) !== undefined) return;
        const role = rolesOfData(files['data.json'] ?? '{}')[given.column];
        const input = wholeInput(
          { identity: role?.identity ?? {}, tool: tool.facts, environment },
          {
            arguments: given.arguments,
            usage: { calls_1m: given.calls, calls_1h: given.calls, same_call_1m: 0 },
            session: { id: 's', started_at: '', calls: 0, denied: 0, labels: given.labels },
            findings: given.findings,
          },
        );
        const evaluation = await release.engine.evaluate('gateway/call', JSON.stringify(input), 1_000);
        assert.ok(evaluation.ok);
        const { effect } = evaluation.answer;
        const isQuiet = given.calls < 120 && given.labels.length === 0 && given.findings.length === 0;
        if (found.effect === 'denied') assert.equal(effect, 'deny');
        if (isQuiet && found.effect === 'allowed') assert.equal(effect, 'allow');
        if (isQuiet && found.effect === 'needs approval') assert.equal(effect, 'require_approval');
        if (found.effect === 'needs approval') assert.ok(['require_approval', 'deny'].includes(effect));
      }),
      { numRuns: 400 },
    );
  });

  test('text, CSV and HTML say the same, and a name cannot become a formula or markup', async () => {
    const odd = readTools([{ server: 'x', name: '=cmd|"<script>"', labels: ['read'] }]);
    const roles = [{ name: '<b>', identity: { groups: ['engineering'] } }];
    const one = await whoMayDoWhat(opa, { files, roles, tools: odd, environment });
    assert.equal(matrixCsv(one).split('\r\n')[1]?.startsWith(`<b>,x,"'=cmd|""<script>""",read,denied,`), true);
    const html = matrixHtml(one, 'Who may do what');
    assert.doesNotMatch(html, /<script|<b>|https?:|src=/);
    assert.match(html, /class="denied">denied/);
    const table = matrixText(matrix, (headings, rows) => [headings, ...rows].map((line) => line.join('|')).join('\n'));
    assert.match(table, /^memory\/delete_entities\|needs approval \[\d+\]\|denied\|denied\|denied$/m);
  });

  test('a grant shows as exactly the cells that it changes', async () => {
    const data = JSON.parse(files['data.json'] ?? '{}') as { grants: { support: Record<string, JsonObject> } };
    data.grants.support['memory'] = { tools: { delete_entities: true } };
    const roles = rolesOfData(files['data.json'] ?? '{}');
    const next = await whoMayDoWhat(opa, { files: { ...files, 'data.json': JSON.stringify(data) }, roles, tools, environment });
    assert.deepEqual(
      changedCells(matrix, next).map(({ role, tool, before: was, after: is }) => [role, tool, was?.effect, is?.effect]),
      [
        ['support', 'read_graph', 'allowed', 'denied'],
        ['support', 'delete_entities', 'denied', 'needs approval'],
      ],
    );
  });

  const proofs = (statements: readonly object[]): Promise<readonly Proof[]> =>
    prove(opa, {
      files,
      statements: readStatements({ version: 1, statements }),
      tools,
      environment,
      decide: async (inputJson) => {
        const evaluation = await release.engine.evaluate('gateway/call', inputJson, 1_000);
        return evaluation.ok ? evaluation.answer.effect : 'deny';
      },
    });

  test('statements are proved for every call, or broken by an input', async () => {
    const destructive = { labels: ['destructive'] };
    const [exact, including, held, loaded, rested, outside, none] = await proofs([
      { name: 'a contractor', who: { groups: ['contractors'] }, tools: destructive, only: ['deny'] },
      { name: 'a contractor in other groups too', who: { groups_include: ['contractors'] }, tools: destructive, only: ['deny'] },
      { name: 'never simply allowed', tools: destructive, only: ['deny', 'require_approval'] },
      { name: 'open', who: { groups: ['support'], kind: 'user' }, tools: { name: 'read_*' }, only: ['allow'] },
      {
        name: 'open at rest',
        who: { groups: ['support'], kind: 'user' },
        tools: { name: 'read_*' },
        given: { usage: { calls_1m: 0, calls_1h: 0, same_call_1m: 0 }, findings: [] },
        only: ['allow'],
      },
      { name: 'nobody writes', tools: { name: 'write_file' }, only: ['deny'] },
      { name: 'about nothing', tools: { name: 'x' }, only: ['deny'] },
    ]);
    assert.deepEqual([exact?.outcome, held?.outcome, rested?.outcome, none?.outcome], ['holds', 'holds', 'holds', 'unknown']);
    assert.equal(including?.outcome, 'broken');
    assert.deepEqual((including.counterexample?.input['identity'] as JsonObject)['groups'], ['contractors', 'engineering']);
    assert.equal(including.counterexample?.effect, 'require_approval');
    assert.equal(loaded?.outcome, 'broken');
    assert.equal(loaded.counterexample?.effect, 'deny');
    assert.equal(outside?.outcome, 'broken', 'a condition that is not understood is tried');
    assert.ok(tools[0]?.inputSchema);
    assert.equal(compileValidator(tools[0].inputSchema)(outside.counterexample?.input['arguments']), undefined);
  });

  test('what can be neither excluded nor shown is unknown', async () => {
    const more = {
      ...rule('access/all', 'allow contains "yes" if input.target.kind == "tool"'),
      ...rule('limits/odd', 'deny contains "no" if not crypto.sha256(input.arguments.word) == "0"'),
    };
    const odd = await filesWith(more);
    const statements = readStatements({ version: 1, statements: [{ name: 'sealed', tools: { name: 'echo' }, only: ['deny'] }] });
    const decide = (): Promise<'deny'> => Promise.resolve('deny');
    const [proof] = await prove(opa, { files: odd, statements, tools, environment, decide });
    assert.equal(proof?.outcome, 'unknown');
    assert.match(proof.open[0]?.words ?? '', /crypto\.sha256\(input\.arguments\.word/);
  });

  test('a release whose rules are not where the contract puts them is unknown everywhere', async () => {
    const odd = await filesWith(rule('access/all', 'allow contains "yes"'), { rules: { extra: { rule: { deny: ['from data'] } } } });
    const roles = [{ name: 'anyone', identity: { groups: [] } }];
    const { cells } = await whoMayDoWhat(opa, { files: odd, roles, tools, environment });
    assert.deepEqual([...new Set(cells.flat().map(({ effect }) => effect))], ['unknown']);
  });

  test('a file of statements that is misspelt is refused', () => {
    assert.throws(() => readStatements({ version: 1, statements: [{ name: 'x', only: ['denied'] }] }), { code: 'request.invalid' });
    assert.throws(() => readStatements({ version: 1, statements: [{ name: 'x', only: ['deny'], whom: {} }] }), { code: 'request.invalid' });
  });
});
