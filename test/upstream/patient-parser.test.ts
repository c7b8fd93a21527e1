import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { budget } from '../../src/upstream/patient-parser.ts';

const node = promisify(execFile);

test('the budget that is put back is V8’s own', async () => {
  const { stdout } = await node(process.execPath, ['--v8-options']);
  const own = /--wasm-tiering-budget=(\d+)/.exec(stdout)?.[1];
  assert.equal(budget.default, Number(own));
});

/** Functions of more than 30 kB that V8 has optimised after `answers` answers of a server. */
async function optimised(answers: number, before: string): Promise<number> {
  const script = `
    import { createServer } from 'node:http';
    import Pool from 'undici/lib/dispatcher/pool.js';
    ${before}
    const server = createServer((_request, response) => response.end('{}'));
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    const pool = new Pool('http://127.0.0.1:' + server.address().port, { connections: 1 });
    for (let answers = 0; answers < ${answers}; answers++)
      await new Promise((onResponseEnd, onResponseError) =>
        pool.dispatch({ path: '/', method: 'GET' }, { onRequestStart() {}, onResponseStart() {}, onResponseData() {}, onResponseEnd, onResponseError }));
    await new Promise((later) => setTimeout(later, 1_000));
    process.exit();`;
  const { stdout } = await node(process.execPath, ['--trace-wasm-compilation-times', '--input-type=module', '--eval', script], {
    cwd: new URL('../../', import.meta.url),
  });
  return [...stdout.matchAll(/using TurboFan.*bodysize (\d+)/g)].filter(([, size]) => Number(size) > 30_000).length;
}

test('the parser of answers is not optimised for a few of them', async () => {
  const patient = `import { patientParser } from './src/upstream/patient-parser.ts'; globalThis.parser = patientParser();`;
  assert.deepEqual([await optimised(20, ''), await optimised(20, patient)], [1, 0]);
});
