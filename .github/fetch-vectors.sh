#!/usr/bin/env bash
# Fetches the public test vectors that the tests read through CASTELLAN_VECTORS into the folder named first.
set -euo pipefail
folder="$1"
mkdir -p "$folder"
wycheproof=073df56bfc1f2719eecad1e32391b8a80b43338a
curl -fsSL "https://raw.githubusercontent.com/C2SP/wycheproof/$wycheproof/testvectors_v1/json_web_signature_test.json" \
  -o "$folder/wycheproof-json-web-signature.json"
suite="$(mktemp -d)"
trap 'rm -rf "$suite"' EXIT
git clone --quiet --depth 1 https://github.com/nst/JSONTestSuite "$suite"
node --input-type=module - "$suite/test_parsing" "$folder/json-parsing.json" <<'JS'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
const [from, to] = process.argv.slice(2);
const names = readdirSync(from).filter((name) => /^[ny]_.*\.json$/.test(name)).sort();
const cases = Object.fromEntries(names.map((name) => [name.replace(/\.json$/, ''), readFileSync(`${from}/${name}`).toString('base64')]));
const count = (kind) => names.filter((name) => name.startsWith(kind)).length;
if (count('n_') < 188 || count('y_') < 95) throw new Error(`too few cases: ${count('n_')} and ${count('y_')}`);
writeFileSync(to, JSON.stringify({ source: 'JSONTestSuite by Nicolas Seriot, MIT licence', encoding: 'base64', cases }));
JS
