import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Build } from '../../src/rego/opa.ts';
import { Opa } from '../../src/rego/opa.ts';
import { createBuiltinCaller } from '../../src/rego/builtins.ts';
import { canonical } from '../../src/model/digest.ts';
import { entrypoints } from '../../src/model/decision.ts';
import type { Json, JsonObject } from '../../src/model/json.ts';
import { checkAnswer } from '../../src/policy/answer.ts';
import { loadWasmPolicy } from '../../src/policy/wasm.ts';
import { readGoldenCases } from '../../src/release/golden-cases.ts';
import { readPolicySource, testProgram } from '../../src/release/policy-source.ts';
import { Workshop } from './workshop.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const opa = new Opa();
after(() => opa.close());

const source = await readPolicySource(join(root, 'policies'), join(root, 'policy-tests'));
const cases = readGoldenCases(source.cases);

describe('the policies that ship', () => {
  let built: Build;

  test('compile with the capabilities that they pin', async () => {
    built = await opa.build({
      files: source.files,
      entrypoints,
      ...(source.capabilities === undefined ? {} : { capabilities: source.capabilities }),
    });
    assert.deepEqual(Object.keys(built.entrypoints).sort(), [...entrypoints].sort());
  });

  test('have golden cases for every entrypoint', () => {
    assert.deepEqual([...new Set(cases.map((golden) => golden.entrypoint))].sort(), [...entrypoints].sort());
  });

  test('answer every golden case the same in OPA’s interpreter and in this engine, and as the case expects', async () => {
    const [served, module] = [new Set((await opa.version()).builtins), await opa.module()];
    const release = await WebAssembly.compile(built.wasm);
    const caller = createBuiltinCaller(module, { notation: 'rego' });
    const differences: string[] = [];
    for (const golden of cases) {
      const data = { ...(JSON.parse(built.data) as JsonObject), ...golden.data };
      const policy = loadWasmPolicy({
        module: release,
        dataJson: JSON.stringify(data),
        entrypoints,
        maxMemoryBytes: 64 * 1_048_576,
        builtins: { names: served, caller: () => caller },
      });
      const input = JSON.stringify(golden.input);
      const ours = JSON.parse(policy.evaluate(golden.entrypoint, input) ?? 'null') as Json;
      const query = `data.${golden.entrypoint.replace('/', '.')}`;
      const interpreted = await opa.eval({ files: source.files, bundle: true, query, input, data: JSON.stringify(golden.data ?? {}) });
      const [result] = JSON.parse(interpreted.result) as [{ expressions: [{ value: Json }] }];
      const theirs = result.expressions[0].value;
      if (canonical(ours) !== canonical(theirs))
        differences.push(`${golden.file}: ${golden.name}: engine ${canonical(ours)}, interpreter ${canonical(theirs)}`);
      if (canonical(ours) !== canonical(golden.expect))
        differences.push(`${golden.file}: ${golden.name}: ${canonical(ours)}, expected ${canonical(golden.expect)}`);
      const wrong = checkAnswer(golden.entrypoint, ours);
      if (wrong !== undefined) differences.push(`${golden.file}: ${golden.name}: malformed: ${wrong}`);
    }
    assert.deepEqual(differences, []);
  });

  test('come into force through the release manager, with their tests and golden cases', async () => {
    const workshop = new Workshop(join(root, 'is-not-written'), opa);
    const manager = await workshop.manager({
      source: { kind: 'folder', path: join(root, 'policies'), testsPath: join(root, 'policy-tests') },
    });
    try {
      assert.equal(manager.status().candidate, undefined);
      assert.equal(manager.current()?.digest, source.digest);
    } finally {
      await manager.close();
    }
  });

  test('whose answer departs from a golden case are not put in force', async () => {
    const workshop = await Workshop.open(opa, {
      ...testProgram(source).files,
      ...Object.fromEntries(Object.entries(source.cases).map(([name, text]) => [`policy-tests/${name}`, text])),
    });
    const at = {
      source: { kind: 'folder', path: workshop.policies, testsPath: join(workshop.root, 'policy-tests') },
      test: undefined,
    } as const;
    try {
      const manager = await workshop.manager(at);
      const before = manager.current();
      assert.ok(before, manager.status().candidate?.error);
      await workshop.write({ 'policies/rules/extra/extra.rego': 'package rules.extra.extra\n\ndeny contains "closed for today"\n' });
      assert.match((await manager.reload()).candidate?.error ?? '', /golden case `.*closed for today/);
      assert.equal(manager.current(), before);
    } finally {
      await workshop.close();
    }
  });
});
