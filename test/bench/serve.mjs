// `castellan serve` of one candidate: serve.mjs FOLDER. Begins with an empty database, so that every visit of the harness measures the same
// gateway, and then is nothing but the built gateway: the harness accounts this process.
import { rmSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
if (folder === undefined) throw new Error('serve.mjs FOLDER');
for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, `castellan.db${suffix}`), { force: true });
process.argv = [process.argv[0], 'dist/main.js', 'serve', '--config', join(folder, 'castellan.yaml')];
await import('../../dist/main.js');
