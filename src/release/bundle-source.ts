import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { GatewayError } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import { readArchive } from './bundle-archive.ts';
import { maxPolicyBytes, maxPolicyFiles, readBundleFolder, readPolicyTests, type PolicySource } from './policy-source.ts';

interface Manifest {
  readonly revision?: unknown;
  readonly rego_version?: unknown;
  readonly wasm?: unknown;
}

/**
 * A bundle that was built elsewhere: a gzipped tar of `opa build`, or a folder of the same files. One with a module is taken as it is, one of
 * Rego alone is compiled here. Its tests and golden cases are those of `testsPath`. A signature in it is not looked at.
 * @throws GatewayError `policy.invalid`
 */
export async function readBundle(path: string, testsPath: string | undefined): Promise<PolicySource> {
  const { files, digest } = await readFiles(path);
  const tests = await readPolicyTests(testsPath);
  const text = (name: string): string => Buffer.from(files.get(name) ?? []).toString();
  if (files.has('patch.json')) throw refused('it is a delta bundle, which only adds to another; give it a snapshot');
  const manifest = files.has('.manifest') ? readManifest(text('.manifest')) : {};
  if (manifest.rego_version === 0) throw refused('it is written in Rego v0; rebuild it with `opa build --v1-compatible` after `opa fmt`');
  const modules = [...files.keys()].filter((name) => name.endsWith('.wasm'));
  if (modules.length > 1) throw refused(`it has more than one module (${modules.join(', ')})`);
  const isRead = (name: string): boolean =>
    /(^|\/)data\.(json|ya?ml)$/.test(name) || (modules.length === 0 && /\.rego$|^\.manifest$/.test(name));
  const read = Object.fromEntries([...files.keys()].filter(isRead).map((name) => [name, text(name)]));
  if (modules.length === 0 && !Object.keys(read).some((name) => name.endsWith('.rego')))
    throw refused('it has neither a module (`policy.wasm`) nor Rego');
  const wasm = modules[0] === undefined ? undefined : new Uint8Array(files.get(modules[0]) ?? []);
  const revision = typeof manifest.revision === 'string' ? manifest.revision : '';
  const listed: unknown[] = Array.isArray(manifest.wasm) ? manifest.wasm : [];
  const entrypoints = listed
    .map((one) => (one as { entrypoint?: unknown } | null)?.entrypoint)
    .filter((entry): entry is string => typeof entry === 'string');
  const bundle = { revision, entrypoints, ...(wasm === undefined ? {} : { wasm }) };
  return { files: read, schemas: {}, capabilities: undefined, ...tests, digest, bundle };
}

async function readFiles(path: string): Promise<{ files: Map<string, Uint8Array>; digest: Digest }> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return await readBundleFolder(path);
    if (found.size > maxPolicyBytes) throw refused(`it is larger than ${maxPolicyBytes} bytes`);
    const packed = await readFile(path);
    const files = readArchive(packed, { maxFiles: maxPolicyFiles, maxTotalBytes: maxPolicyBytes });
    return { files, digest: `sha256:${createHash('sha256').update(packed).digest('hex')}` as Digest };
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError('policy.invalid', `the bundle \`${path}\` cannot be read; check that it is there`, { cause });
  }
}

function readManifest(text: string): Manifest {
  try {
    const manifest: unknown = JSON.parse(text);
    if (typeof manifest === 'object' && manifest !== null && !Array.isArray(manifest)) return manifest;
  } catch {
    // Said below, as for any other text that is no manifest.
  }
  throw refused('its `.manifest` is no JSON object');
}

function refused(why: string): GatewayError {
  return new GatewayError('policy.invalid', `the bundle cannot be used: ${why}`);
}
