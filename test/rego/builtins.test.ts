import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createBuiltinCaller, type BuiltinCaller } from '../../src/rego/builtins.ts';
import { Opa } from '../../src/rego/opa.ts';

const opa = new Opa();
let json: BuiltinCaller;
let rego: BuiltinCaller;
before(async () => {
  const module = await opa.module();
  json = createBuiltinCaller(module);
  rego = createBuiltinCaller(module, { notation: 'rego' });
});
after(() => opa.close());

const nowNs = 1_795_246_200_123_000_001n;

const rows: [name: string, args: string[], answer: string | undefined][] = [
  ['time.now_ns', [], '1795246200123000001'],
  ['sprintf', ['"%v %q %d"', '[[{"a":null}],"x",12345678901234567890]'], '"[{\\"a\\": null}] \\"x\\" 12345678901234567890"'],
  ['yaml.unmarshal', ['"012"'], '10'],
  ['semver.compare', ['"1.2.3"', '"1.10.0"'], '-1'],
  ['units.parse_bytes', ['"10Mi"'], '10485760'],
  ['net.cidr_contains', ['"10.0.0.0/8"', '"::ffff:10.1.1.1"'], 'true'],
  ['regex.replace', ['"a1b2"', '"[0-9]"', '"<>"'], '"a<>b<>"'],
  ['json.patch', ['{"a":[1]}', '[{"op":"add","path":"/a/-","value":2}]'], '{"a":[1,2]}'],
  ['json.match_schema', ['{"a":1}', '{"type":"object"}'], '[true,[]]'],
  ['strings.any_prefix_match', ['"abc"', '["x","ab"]'], 'true'],
  ['io.jwt.decode', ['"not a token"'], undefined],
  ['to_number', ['"x"'], undefined],
];

for (const [name, args, answer] of rows) {
  test(`builtin ${name} answers as OPA does`, async () => {
    assert.equal(json(name, args, nowNs), answer);
    const query = { files: {}, query: `${name}(${args.join(', ')})`, nowNs };
    const { result } = await opa.eval(query);
    if (answer === undefined) assert.equal(result, '[]');
    else assert.ok(result.startsWith('[{"expressions":[{"value":'));
    assert.equal(await opa.builtin({ name, args, nowNs }), answer);
  });
}

test('sets are arrays in JSON, and sets in Rego notation', () => {
  const args = ['{"10.0.0.0/25","10.0.0.128/25"}'];
  assert.equal(json('net.cidr_merge', args, 0n), '["10.0.0.0/24"]');
  assert.equal(rego('net.cidr_merge', args, 0n), '{"10.0.0.0/24"}');
  assert.equal(rego('net.cidr_merge', ['set()'], 0n), 'set()');
  assert.equal(rego('object.subset', ['{1,2,3}', '{1,3}'], 0n), 'true');
  assert.equal(rego('sprintf', ['"%v"', '[{{"a":1},2}]'], 0n), '"{2, {\\"a\\": 1}}"');
  assert.equal(rego('object.union', ['{1:"a"}', '{"b":{2}}'], 0n), '{1:"a","b":{2}}');
});

test('strings come through whatever they hold', () => {
  for (const text of ['', '\u0000\u0001\u001f\u007f', '<&>\u2028"\\', 'ünï😀', '\t\n']) {
    assert.equal(JSON.parse(json('concat', ['""', JSON.stringify([text, '!'])], 0n) ?? ''), `${text}!`);
  }
});

test('what reaches outside, a wrong number of arguments and text that is no value are refused', () => {
  const refused: [string, string[]][] = [
    ['http.send', ['{}']],
    ['opa.runtime', []],
    ['rand.intn', ['"a"', '1']],
    ['walk', ['{}']],
    ['no.such', []],
    ['count', []],
    ['count', ['[', ']']],
    ['count', ['[input]']],
    ['count', ['[1] [2]']],
  ];
  for (const [name, args] of refused) assert.throws(() => json(name, args, 0n), { code: 'policy.fault' });
});

test('a schema cannot fetch another one', () => {
  const schema = '{"$ref":"http://127.0.0.1:9/x.json"}';
  assert.equal(json('json.match_schema', ['{}', schema], 0n), undefined);
});

test('195 of the builtins of OPA are served, and the others are known', async () => {
  const { builtins, total, opa: version } = await opa.version();
  assert.equal(version, '1.22.0');
  const { text } = await opa.capabilities({ full: true });
  const all = (JSON.parse(text) as { builtins: { name: string }[] }).builtins.map(({ name }) => name);
  assert.equal(all.length, total);
  assert.deepEqual(
    all.filter((name) => !builtins.includes(name)),
    [
      'assign',
      'eq',
      'http.send',
      'io.jwt.encode_sign',
      'io.jwt.encode_sign_raw',
      'net.lookup_ip_addr',
      'opa.runtime',
      'print',
      'rand.intn',
      'uuid.rfc4122',
      'walk',
    ],
  );
});

test('a module that died is replaced at the next call', async () => {
  const small = new Opa({ maxMemoryBytes: 96 * 1024 * 1024 });
  try {
    const call = createBuiltinCaller(await small.module());
    assert.throws(() => call('numbers.range', ['1', '100000000'], 0n), { code: 'policy.fault', message: /numbers\.range/ });
    assert.equal(call('abs', ['-1'], 0n), '1');
  } finally {
    await small.close();
  }
});

test('a worker thread is handed the module and calls at once', async () => {
  const source = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { createBuiltinCaller } = await import(workerData.url);
    parentPort.postMessage(createBuiltinCaller(workerData.module, { eager: true })('abs', ['-7'], 0n));
  `;
  const url = new URL('../../src/rego/builtins.ts', import.meta.url).href;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: { module: await opa.module(), url },
  });
  const answer = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  assert.equal(answer, '7');
  await worker.terminate();
});
