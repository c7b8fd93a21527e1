import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Opa } from '../../src/rego/opa.ts';
import { servedBuiltins } from '../../src/rego/served-builtins.ts';

test('the list of served builtins is what OPA serves', async () => {
  const opa = new Opa();
  try {
    assert.deepEqual(servedBuiltins, (await opa.version()).builtins);
  } finally {
    await opa.close();
  }
});
