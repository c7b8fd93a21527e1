// Copies what the compiler does not: run by `npm run build` after tsc.
import { cpSync, existsSync, chmodSync } from 'node:fs';

const root = new URL('..', import.meta.url);
for (const path of [
  'rego/opa.wasm.br',
  'config/castellan.schema.json',
  'content/secret-rules.json',
  'workshop/lints',
  'workshop/starter',
]) {
  const from = new URL(`src/${path}`, root);
  if (existsSync(from)) cpSync(from, new URL(`dist/${path}`, root), { recursive: true });
}
chmodSync(new URL('dist/main.js', root), 0o755);
