import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compileModule } from '../model/compile-module.ts';
import { GatewayError } from '../model/errors.ts';
import type { WorkerBuiltins } from '../policy/protocol.ts';
import { workerUrl } from '../model/worker-url.ts';
import type { Opa } from '../rego/opa.ts';
import { servedBuiltins } from '../rego/served-builtins.ts';
import type { PolicySource } from '../release/policy-source.ts';
import { readPolicy } from '../release/read-policy.ts';
import type { Kept } from '../replay/input-slice.ts';
import type { ReplayRelease } from '../replay/replay.ts';
import { withRevision } from './git-folder.ts';
import { builtFrom } from './policy.ts';

/** A release that was opened to be asked, with the text that it was made of. */
export interface Candidate extends ReplayRelease {
  readonly source: PolicySource;
  /** Builtins beyond those of the module that it may need; absent where that is not known. */
  readonly builtinNames: readonly string[] | undefined;
}

/** OPA's builtins for a worker that replays. */
export function replayBuiltins(): WorkerBuiltins {
  return { names: servedBuiltins, callerUrl: workerUrl(import.meta.url, '../rego/builtins').href };
}

/**
 * Compiles what is named: a folder of Rego, a bundle (a file, or a folder with a `.manifest`), or a Git revision of the folder `policy`.
 * @throws GatewayError `request.invalid` where it is neither, `policy.invalid` where it does not compile
 */
export async function openCandidate(opa: Opa, name: string, policy: string): Promise<Candidate> {
  const kind = await kindOf(name);
  if (kind === 'bundle') return compileCandidate(opa, name, await readPolicy({ kind, path: name }), name);
  return withRevision(policy, name, async (path) =>
    compileCandidate(opa, name, await readPolicy({ kind: 'folder', path }), kind === 'folder' ? path : policy),
  );
}

/** Compiles what was read; messages name its files under `folder`. @throws GatewayError `policy.invalid` */
export async function compileCandidate(opa: Opa, name: string, source: PolicySource, folder: string): Promise<Candidate> {
  const built = await builtFrom(opa, source, { policy: folder, tests: folder });
  const readsTime = built.builtins?.some((builtin) => /^(time\.|io\.jwt\.|crypto\.x509\.)/.test(builtin)) ?? true;
  return {
    name,
    digest: source.digest,
    module: await compileModule(built.wasm),
    dataJson: built.data,
    reads: new Map(Object.entries(built.entrypoints).map(([entry, { reads }]) => [entry, keptOf(reads, readsTime)])),
    source,
    builtinNames: built.builtins,
  };
}

/** What of an input is kept for a release: what it can read, and the time where a builtin may take it from there. */
export function keptOf(paths: readonly (readonly string[])[] | null, readsTime: boolean): Kept | null {
  if (paths?.every((path) => path.length > 0) !== true) return null;
  const kept = new Map<string, Set<string> | null>(readsTime ? [['at_ns', null]] : []);
  for (const [key = '', member] of paths) {
    const known = kept.get(key);
    if (member === undefined || known === null) kept.set(key, null);
    else if (known === undefined) kept.set(key, new Set([member]));
    else known.add(member);
  }
  return kept;
}

async function kindOf(name: string): Promise<'folder' | 'bundle' | 'revision'> {
  let found;
  try {
    found = await stat(name);
  } catch {
    return 'revision'; // Not there: then it is to be a Git revision.
  }
  if (!found.isDirectory()) return 'bundle';
  const [manifest, wasm] = await Promise.all([isThere(join(name, '.manifest')), isThere(join(name, 'policy.wasm'))]);
  return manifest || wasm ? 'bundle' : 'folder';
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return false;
    throw new GatewayError('request.invalid', `\`${path}\` cannot be read; check its permissions`, { cause });
  }
}
