import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Opa, describeFaults } from '../../src/rego/opa.ts';
import { policies, runStock, withoutStockOpa } from './fixture.ts';

const opa = new Opa();
after(() => opa.close());

const paths = ['policies'];

test('good policies have no errors', async () => {
  assert.deepEqual(await opa.check({ files: policies, paths, strict: true }), { errors: [], files: 5 });
});

test('every file that does not parse is named', async () => {
  const files = { ...policies, 'policies/a.rego': 'package a\n\nx if {', 'policies/b.rego': 'package b\n\nx := := 1\n' };
  const { errors } = await opa.check({ files, paths });
  assert.deepEqual(
    [...new Set(errors.map(({ file, row, code }) => `${file}:${row} ${code}`))],
    ['policies/a.rego:3 rego_parse_error', 'policies/b.rego:3 rego_parse_error'],
  );
});

test('strict finds an unused variable and an unused import', async () => {
  const files = { 'a.rego': 'package a\n\nimport data.b\n\nx if {\n\ty := 1\n}\n' };
  assert.deepEqual((await opa.check({ files })).errors, []);
  const { errors } = await opa.check({ files, strict: true });
  assert.deepEqual(
    errors.map(({ row, message }) => [row, message]),
    [
      [3, 'import data.b unused'],
      [6, 'assigned var y unused'],
    ],
  );
});

const schema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    tool: { type: 'object', additionalProperties: false, properties: { name: { type: 'string' }, server: { type: 'string' } } },
  },
};
const typo = {
  'policies/t.rego': `# METADATA
# scope: package
# schemas:
#   - input: schema.input
package t

x := input.tool.nmae
`,
};

test('a schema finds a misspelt field', async () => {
  const { errors } = await opa.check({ files: typo, paths, schemas: { 'input.json': JSON.stringify(schema) } });
  assert.equal(errors.length, 1);
  assert.equal(describeFaults(errors).split('\n')[0], 'policies/t.rego:7:6: rego_type_error: undefined ref: input.tool.nmae');
  assert.match(errors[0]?.details?.join('\n') ?? '', /"name" "server"/);
});

test('a builtin that the capabilities refuse is named with its place', async () => {
  const { text, removed } = await opa.capabilities();
  for (const name of removed) {
    const args = ['http.send', 'net.lookup_ip_addr', 'rand.intn', 'uuid.rfc4122'].includes(name) ? 'input.a' : '';
    const files = { 'policies/r.rego': `package r\n\nx := ${name}(${args})\n` };
    const { errors } = await opa.check({ files, paths, capabilities: text });
    assert.deepEqual(
      errors.map(({ file, row, col, code, message, builtin }) => ({ file, row, col, code, message, builtin })),
      [{ file: 'policies/r.rego', row: 3, col: 6, code: 'rego_type_error', message: `undefined function ${name}`, builtin: name }],
    );
    assert.match(errors[0]?.hint ?? '', /capabilities refuse/);
  }
});

test('an unknown function is not taken for a refused builtin', async () => {
  const { errors } = await opa.check({ files: { 'r.rego': 'package r\n\nx := htpp.send(1)\n' } });
  assert.equal(errors[0]?.builtin, undefined);
});

test('a path that is absent, and capabilities that are no JSON, are told apart', async () => {
  assert.equal((await opa.check({ files: {}, paths: ['absent'] })).errors[0]?.message, 'open absent: file does not exist');
  await assert.rejects(opa.check({ files: policies, capabilities: '{' }), { code: 'request.invalid' });
  await assert.rejects(opa.check({ files: { '../x.rego': '' } }), { code: 'request.invalid' });
});

test('stock opa finds the same errors in the same places', { skip: withoutStockOpa }, async () => {
  const files = {
    ...typo,
    'policies/u.rego': 'package u\n\nx := http.send({})\n\ny if {\n\tz := 1\n}\n',
    'policies/v.rego': 'package v\n\nx := 1 + "a"\n',
    'schemas/input.json': JSON.stringify(schema),
    'capabilities.json': (await opa.capabilities()).text,
  };
  const args = ['check', '--strict', '--schema', 'schemas', '--capabilities', 'capabilities.json', '--format', 'json', 'policies'];
  const stock = await runStock(files, args);
  const { errors } = JSON.parse(stock.stderr) as {
    errors: { message: string; code: string; location: { file: string; row: number; col: number } }[];
  };
  const ours = await opa.check({
    files,
    paths,
    strict: true,
    schemas: { 'input.json': JSON.stringify(schema) },
    capabilities: files['capabilities.json'],
  });
  assert.deepEqual(
    ours.errors.map(({ file, row, col, code, message }) => ({ file, row, col, code, message })),
    errors.map(({ message, code, location: { file, row, col } }) => ({ file, row, col, code, message })),
  );
});

test('the capabilities are those of stock opa without what is refused, and without network', { skip: withoutStockOpa }, async () => {
  interface Capabilities {
    builtins: { name: string }[];
    allow_net?: string[];
  }
  const stock = JSON.parse((await runStock({}, ['capabilities', '--current'])).stdout) as Capabilities;
  const full = await opa.capabilities({ full: true });
  assert.deepEqual(JSON.parse(full.text), stock);
  const { text, removed } = await opa.capabilities({ remove: ['trace'] });
  const ours = JSON.parse(text) as Capabilities;
  assert.deepEqual(ours.allow_net, []);
  assert.ok(removed.includes('trace'));
  assert.deepEqual(
    ours.builtins,
    stock.builtins.filter(({ name }) => !removed.includes(name)),
  );
});
