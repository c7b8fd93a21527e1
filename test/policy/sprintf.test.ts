import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { sprintfText } from '../../src/policy/sprintf.ts';
import { createBuiltinCaller } from '../../src/rego/builtins.ts';
import { Compiler } from './compile.ts';

const compiler = new Compiler();
after(() => compiler.close());

test('what JavaScript formats is what OPA formats, and the rest is left to OPA', async () => {
  const opa = createBuiltinCaller((await compiler.builtins()).module, { notation: 'rego' });
  const piece = fc.oneof(fc.constantFrom('%s', '%d', '%v', '%%', '%q', '%5d', '%x', '%.2f', '%', '%!'), fc.string({ maxLength: 6 }));
  const value = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 8 }),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(fc.integer(), { maxLength: 2 }),
  );
  let served = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 5 }), fc.array(value, { maxLength: 4 }), (pieces, values) => {
      const args = [JSON.stringify(pieces.join('')), JSON.stringify(values)];
      const ours = sprintfText(args[0]!, args[1]!);
      if (ours === undefined) return;
      served++;
      assert.equal(JSON.parse(ours), JSON.parse(opa('sprintf', args, 0n) ?? 'null'), args.join(' '));
    }),
    { numRuns: 2_000 },
  );
  assert.ok(served > 100, `only ${served} were served`);
});

test('the common texts are formatted without OPA', () => {
  for (const [format, values, text] of [
    ['%s may not call %s', '["ann", "refund"]', 'ann may not call refund'],
    ['%d of %v', '[3, 10]', '3 of 10'],
    ['100%% of %v', '[null]', '100% of null'],
    ['é %s', '["😀"]', 'é 😀'],
  ] as const) {
    assert.equal(JSON.parse(sprintfText(JSON.stringify(format), values) ?? 'null'), text);
  }
});

test('numbers that a double rounds, sets and containers are left to OPA', () => {
  for (const values of ['[9007199254740993]', '[1.0]', '[1e3]', '[{1, 2}]', '[[1]]', '[{"a": 1}]', '[]', '["a", "b"]']) {
    assert.equal(sprintfText('"%v"', values), undefined, values);
  }
});
