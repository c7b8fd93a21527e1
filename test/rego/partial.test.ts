import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Opa, type Residue } from '../../src/rego/opa.ts';
import { release } from './fixture.ts';

const opa = new Opa();
after(() => opa.close());

const unknowns = ['input.arguments', 'input.history', 'input.session', 'input.usage'];

function inputFor(name: string, server = 'billing'): string {
  return JSON.stringify({ phase: 'call', target: { kind: 'tool', server, name }, identity: { groups: ['eng'] } });
}

async function partial(queries: readonly string[], input: string): Promise<readonly Residue[]> {
  return (await opa.partial({ ...release, unknowns, cases: [{ input, queries }] }))[0] ?? [];
}

test('a refund rule leaves its condition on the amount, and nothing for other tools', async () => {
  const queries = ['data.rules.billing.large_refund.require_approval[_]'];
  const answers = await opa.partial({
    ...release,
    unknowns,
    cases: [
      { input: inputFor('refund'), queries },
      { input: inputFor('read'), queries },
      { input: inputFor('refund', 'other'), queries },
    ],
  });
  assert.deepEqual(answers, [
    [
      {
        query: queries[0],
        outcome: 'residual',
        residual: [
          {
            text: 'gt(input.arguments.amount, 100)',
            expressions: ['gt(input.arguments.amount, 100)'],
            bindings: { _: '{"groups": ["finance"], "message": "refunds over 100 need finance"}' },
          },
        ],
      },
    ],
    [{ query: queries[0], outcome: 'never' }],
    [{ query: queries[0], outcome: 'never' }],
  ]);
});

test('a set that does not ask about the unknown is always or never', async () => {
  const [allowed, denied, closed] = [
    await partial(['data.rules.access.grant.allow[_]'], inputFor('read')),
    await partial(['data.rules.access.grant.allow[_]'], inputFor('other')),
    await partial(['data.rules.access.grant.deny[_]'], inputFor('drop')),
  ];
  assert.deepEqual(
    [allowed, denied, closed].map((answers) => answers[0]?.outcome),
    ['always', 'never', 'always'],
  );
  assert.deepEqual(closed[0]?.residual?.[0]?.bindings, { _: '{"hint": "ask", "message": "drop is closed"}' });
});

test('a rule about results has nothing to say in the phase of the call', async () => {
  const query = 'data.rules.content.secrets.redact[_]';
  const known = (phase: string) => JSON.stringify({ phase });
  const answers = await opa.partial({
    ...release,
    unknowns: ['input.findings'],
    cases: [
      { input: known('call'), queries: [query] },
      { input: known('result'), queries: [query] },
    ],
  });
  assert.deepEqual(
    answers.map(([residue]) => residue?.outcome),
    ['never', 'residual'],
  );
});

test('negation leaves support modules', async () => {
  const files = { 'p.rego': 'package p\n\nallow if not bad\n\nbad if { some x in input.arguments.list; x == 1 }\n' };
  const answers = await opa.partial({ files, unknowns: ['input'], cases: [{ queries: ['data.p.allow'] }], ast: true });
  const [residue] = answers[0] ?? [];
  assert.equal(residue?.outcome, 'residual');
  assert.match(residue.residual?.[0]?.text ?? '', /^not data\.partial\./);
  assert.match(residue.support?.[0]?.text ?? '', /package partial/);
  assert.ok(residue.residual?.[0]?.ast);
});

test('a query that is wrong is an error of its own, beside the answers of the others', async () => {
  const answers = await partial(['data.rules.billing[', 'data.rules.access.grant.allow[_]'], inputFor('read'));
  assert.equal(answers[0]?.outcome, 'error');
  assert.equal(answers[0].errors?.[0]?.code, 'rego_parse_error');
  assert.equal(answers[1]?.outcome, 'always');
});

test('a member that the unknown decides is part of the condition', async () => {
  const files = { 'p.rego': 'package p\n\ns contains x if { x := input.arguments.v; x > 1 }\n' };
  const [[residue] = []] = await opa.partial({ files, unknowns: ['input'], cases: [{ queries: ['data.p.s[x]'] }] });
  assert.equal(residue?.outcome, 'residual');
  assert.deepEqual(residue.residual?.[0]?.expressions, ['x = input.arguments.v', 'gt(x, 1)', 'x']);
});
