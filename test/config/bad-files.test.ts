import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { GatewayError } from '../../src/model/errors.ts';
import { badFiles, type BadFile } from './bad-files.ts';
import { folderWith } from './folder.ts';

function messageOf(test: Parameters<typeof folderWith>[0], row: BadFile): string[] {
  const folder = folderWith(test, { 'castellan.yaml': row.yaml, ...row.files });
  const file = join(folder, 'castellan.yaml');
  try {
    loadConfig(file, row.env ?? {});
  } catch (error) {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.code, 'config.invalid');
    assert.ok(!JSON.stringify([error.message, error.detail]).includes('hunter2'), 'a value of the file is in the error');
    return error.message.split('\n').map((line) => {
      assert.ok(line.startsWith(`${file}:`), line);
      return line.slice(file.length + 1).replaceAll(folder, '<folder>');
    });
  }
  assert.fail('the file was accepted');
}

describe('a configuration with mistakes is refused, each told with its place and cure', () => {
  for (const row of badFiles) it(row.name, (test) => assert.deepEqual(messageOf(test, row), row.says));

  it('a file that is not there', () => {
    assert.throws(() => loadConfig('no-such.yaml', {}), {
      code: 'config.invalid',
      message: 'no-such.yaml:1:1: (file): there is no such file; name one with `--config PATH`',
    });
  });

  it('the problems are values too', (test) => {
    const file = join(folderWith(test, { 'castellan.yaml': 'version: 1\nlog: { leval: info }\n' }), 'castellan.yaml');
    const problems = [{ file, line: 2, column: 8, path: 'log.leval', message: 'unknown key; did you mean `level`?' }];
    assert.throws(
      () => loadConfig(file, {}),
      (error: GatewayError) => {
        assert.deepEqual(error.detail, { problems });
        return true;
      },
    );
  });
});
