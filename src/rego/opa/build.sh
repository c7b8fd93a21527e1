#!/bin/sh
# Builds src/rego/opa.wasm.br from this folder and writes the raw module's SHA-256 beside it.
#   build.sh           build, compress, write
#   build.sh --check   build and compare with what is committed: exit 0 same, 1 different, 3 cannot be compared here
set -eu
cd "$(dirname "$0")"
pinned=$(sed -n 's/^toolchain //p' go.mod)
sums=../opa.wasm.sha256
packed=../opa.wasm.br
raw=$(mktemp -d)
trap 'rm -rf "$raw"' EXIT

# The bytes depend on the toolchain: use the pinned one, fetched by Go itself where another is installed.
if [ "$(GOTOOLCHAIN=local go env GOVERSION)" != "$pinned" ]; then
	export GOTOOLCHAIN="$pinned"
	if ! go version >/dev/null 2>&1; then
		echo "cannot compare: $(GOTOOLCHAIN=local go env GOVERSION) is installed, the module is built with $pinned, and $pinned cannot be fetched" >&2
		exit 3
	fi
fi

env GOOS=wasip1 GOARCH=wasm GOWASM= GOFLAGS=-mod=readonly GOEXPERIMENT= GODEBUG= CGO_ENABLED=0 \
	go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags="-s -w" -o "$raw/opa.wasm" .
digest=$(sha256sum "$raw/opa.wasm" | cut -d' ' -f1)

if [ "${1:-}" = "--check" ]; then
	want=$(sed -n 's/  opa\.wasm$//p' "$sums")
	node -e '
		const { createHash } = require("node:crypto");
		const raw = require("node:zlib").brotliDecompressSync(require("node:fs").readFileSync(process.argv[1]));
		if (createHash("sha256").update(raw).digest("hex") !== process.argv[2]) {
			console.error("opa.wasm.br does not hold the module that opa.wasm.sha256 names");
			process.exit(1);
		}' "$packed" "$want"
	if [ "$digest" != "$want" ]; then
		echo "opa.wasm differs: built $digest, committed $want; run src/rego/opa/build.sh and commit the result" >&2
		exit 1
	fi
	echo "opa.wasm is what these sources give ($pinned): $digest"
	exit 0
fi

node -e '
	const { readFileSync, writeFileSync } = require("node:fs");
	const { brotliCompressSync, constants: c } = require("node:zlib");
	const raw = readFileSync(process.argv[1]);
	const params = { [c.BROTLI_PARAM_QUALITY]: 11, [c.BROTLI_PARAM_LGWIN]: 24, [c.BROTLI_PARAM_SIZE_HINT]: raw.length };
	writeFileSync(process.argv[2], brotliCompressSync(raw, { params }));' "$raw/opa.wasm" "$packed"
{
	echo "# $pinned, $(sed -n 's/^require \(github.*\)/\1/p' go.mod | tr ' ' '@')"
	echo "$digest  opa.wasm"
} >"$sums"
ls -l "$packed"
cat "$sums"
