import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../model/errors.ts';
import { entrypoints, type Entrypoint } from '../model/decision.ts';
import type { Digest } from '../model/ids.ts';

/** The text of a policy folder at one moment. Paths are relative, with forward slashes. */
export interface PolicySource {
  /** Rego and `data.json`/`data.yaml`: what is compiled. */
  readonly files: Readonly<Record<string, string>>;
  /** JSON Schemas by their path inside `schemas/`. */
  readonly schemas: Readonly<Record<string, string>>;
  /** `capabilities.json`, where there is one. */
  readonly capabilities: string | undefined;
  /** The folder of tests, likewise: Rego and data. */
  readonly tests: Readonly<Record<string, string>>;
  /** Golden cases: JSON files under `cases/` of the folder of tests. */
  readonly cases: Readonly<Record<string, string>>;
  /** Over path and content of all that decides: files, schemas, capabilities. */
  readonly digest: Digest;
  /** Over tests and cases. */
  readonly testsDigest: Digest;
  /** Present where this is a bundle that was built elsewhere. */
  readonly bundle?: {
    /** As its manifest has it; may be empty. */
    readonly revision: string;
    /** Entrypoints that its manifest says its module has. */
    readonly entrypoints: readonly string[];
    /** Its module; absent where it is of Rego alone. */
    readonly wasm?: Uint8Array<ArrayBuffer>;
  };
}

/** Bounds of a policy folder, and of a bundle unpacked. */
export const maxPolicyFiles = 10_000;
export const maxPolicyBytes = 64 * 1_048_576;

/**
 * Reads a policy folder and its tests. Names that begin with a dot are passed over; links are followed (a Kubernetes volume is made of
 * them).
 * @throws GatewayError `policy.invalid` when a folder cannot be read, or has no Rego, or is larger than 64 MiB or 10,000 files; so with its tests
 */
export async function readPolicySource(path: string, testsPath: string | undefined): Promise<PolicySource> {
  const all = texts(await readTree(path, isPolicyFile));
  const isSchema = (name: string): boolean => name.startsWith('schemas/') && name.endsWith('.json');
  const files = pick(all, isCompiled);
  if (!Object.keys(files).some((name) => name.endsWith('.rego'))) {
    throw new GatewayError('policy.invalid', `there is no Rego in \`${path}\`; point the policy source at a folder of .rego files`);
  }
  const schemas = Object.fromEntries(Object.entries(pick(all, isSchema)).map(([name, text]) => [name.slice('schemas/'.length), text]));
  const capabilities = all['capabilities.json'];
  return {
    files,
    schemas,
    capabilities,
    ...(await readPolicyTests(testsPath)),
    digest: digestFiles(pick(all, (name) => isCompiled(name) || isSchema(name) || name === 'capabilities.json')),
  };
}

/** The tests and golden cases of a policy: nothing where there is no folder of them. @throws GatewayError `policy.invalid` */
export async function readPolicyTests(path: string | undefined): Promise<Pick<PolicySource, 'tests' | 'cases' | 'testsDigest'>> {
  const all = path === undefined ? {} : texts(await readTree(path, isPolicyFile));
  const cases = pick(all, (name) => name.startsWith('cases/') && name.endsWith('.json'));
  const tests = pick(all, (name) => isCompiled(name) && !(name in cases));
  return { tests, cases, testsDigest: digestFiles({ ...tests, ...cases }) };
}

/** The files of a bundle that lies unpacked in a folder. @throws GatewayError `policy.invalid` */
export async function readBundleFolder(path: string): Promise<{ files: Map<string, Uint8Array>; digest: Digest }> {
  const isPart = (name: string): boolean => isCompiled(name) || /\.wasm$|^\.manifest$|^patch\.json$/.test(name);
  const files = await readTree(path, (name) => isPart(name) && !/(^|\/)\.(?!manifest$)/.test(name));
  return {
    files,
    digest: digestFiles(Object.fromEntries([...files].map(([name, content]) => [name, Buffer.from(content).toString('latin1')]))),
  };
}

/**
 * The folder and its tests as `opa test policies policy-tests` sees them: files by path, and the two roots. Without the golden cases, which
 * the interpreter takes seconds for: `golden-cases.ts` asks them of the compiled module.
 */
export function testProgram(source: PolicySource): { readonly files: Readonly<Record<string, string>>; readonly paths: readonly string[] } {
  const under = (root: string, files: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(files).map(([name, text]) => [`${root}/${name}`, text]));
  const tests = under('policy-tests', source.tests);
  return {
    files: { ...under('policies', source.files), ...tests },
    paths: Object.keys(tests).length === 0 ? ['policies'] : ['policies', 'policy-tests'],
  };
}

/**
 * The entrypoints that a folder has. Without `mask` it is complete: nothing is masked then. Rego of a package that is not there would fail to
 * compile as an entrypoint.
 */
export function entrypointsOf({ files }: Pick<PolicySource, 'files'>): readonly Entrypoint[] {
  const hasMask = Object.values(files).some((text) => /^\s*package\s+gateway\b/m.test(text) && /^(default\s+)?mask\b/m.test(text));
  return entrypoints.filter((entry) => entry !== 'gateway/mask' || hasMask);
}

/** What `opa build --bundle` reads. */
function isCompiled(name: string): boolean {
  return /\.rego$|(^|\/)data\.(json|ya?ml)$/.test(name);
}

function pick(files: Readonly<Record<string, string>>, wanted: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([name]) => wanted(name)));
}

function isPolicyFile(name: string): boolean {
  return !/(^|\/)\./.test(name) && /\.(rego|json|ya?ml)$/.test(name);
}

function texts(files: ReadonlyMap<string, Buffer>): Record<string, string> {
  return Object.fromEntries([...files].map(([name, content]) => [name, content.toString()]));
}

async function readTree(root: string, wanted: (name: string) => boolean): Promise<Map<string, Buffer>> {
  const names = [];
  try {
    for (const name of await readdir(root, { recursive: true })) names.push(name.replaceAll('\\', '/'));
  } catch (cause) {
    throw new GatewayError('policy.invalid', `the policy folder \`${root}\` cannot be read; check that it is there`, { cause });
  }
  const files = new Map<string, Buffer>();
  let bytes = 0;
  for (const name of names.filter(wanted).sort()) {
    let content: Buffer;
    try {
      if (!(await stat(join(root, name))).isFile()) continue;
      content = await readFile(join(root, name));
    } catch (cause) {
      // A file that an editor moves away while the folder is read: the watcher comes again.
      throw new GatewayError('policy.invalid', `\`${name}\` in the policy folder cannot be read`, { cause });
    }
    files.set(name, content);
    bytes += content.length;
    if (files.size > maxPolicyFiles || bytes > maxPolicyBytes) {
      throw new GatewayError(
        'policy.invalid',
        `the policy folder \`${root}\` has more than ${maxPolicyFiles} files or ${maxPolicyBytes} bytes`,
      );
    }
  }
  return files;
}

/** SHA-256 over path and content, by path. Lengths are part of it, so that no two folders can look the same. */
function digestFiles(files: Readonly<Record<string, string>>): Digest {
  const sum = createHash('sha256');
  for (const name of Object.keys(files).sort()) {
    const text = files[name] ?? '';
    sum.update(`${Buffer.byteLength(name)} ${Buffer.byteLength(text)}\n${name}\n${text}\n`);
  }
  return `sha256:${sum.digest('hex')}` as Digest;
}
