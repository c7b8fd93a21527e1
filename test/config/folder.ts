import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';

/** A folder with these files and the folders that a configuration expects, gone when the test ends. */
export function folderWith(test: Pick<TestContext, 'after'>, files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'castellan-config-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['policies', 'policy-tests']) mkdirSync(join(folder, name));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}
