import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { BuiltRelease } from './release-ports.ts';

/** What was built and passed its tests, by key, and which was in force last. */
export interface BuildCache {
  read(key: string): Promise<BuiltRelease | undefined>;
  write(key: string, built: BuiltRelease): Promise<void>;
  /** What was proved about the results of tools under a release (its policy's digest), by the tool's digest. */
  readProofs(digest: string): Promise<Readonly<Record<string, boolean>>>;
  writeProofs(digest: string, proofs: Readonly<Record<string, boolean>>): Promise<void>;
  /** What narrows the listed tools under a release, as JSON text; `undefined` where nothing is kept. */
  readBounds(digest: string): Promise<string | undefined>;
  writeBounds(digest: string, json: string): Promise<void>;
  /** What was in force last of the policy in `folder`: gateways that share a cache do not resume each other's. */
  readLast(folder: string): Promise<LastGood | undefined>;
  writeLast(folder: string, last: LastGood): Promise<void>;
}

/** The release that was in force last, so that a start with broken sources can resume it. */
export interface LastGood {
  readonly key: string;
  readonly digest: string;
  readonly commit: string | null;
  /** Of a bundle. */
  readonly revision?: string;
}

const hashChars = 64;

/**
 * A {@link BuildCache} in a folder, which only the gateway's own user may write: its SHA-256 guards against what is torn or damaged, not
 * against who can write there. What cannot be read counts as absent.
 */
export function openBuildCache(path: string): BuildCache {
  const put = async (name: string, content: Buffer): Promise<void> => {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const temporary = join(path, `.${name}.${process.pid}`);
    try {
      await writeFile(temporary, Buffer.concat([Buffer.from(`${sha256(content)}\n`), content]), { mode: 0o600, flush: true });
      await rename(temporary, join(path, name));
    } finally {
      await rm(temporary, { force: true });
    }
  };
  const get = async (name: string): Promise<Buffer | undefined> => {
    try {
      const file = await readFile(join(path, name));
      const content = file.subarray(hashChars + 1);
      return sha256(content) === file.toString('latin1', 0, hashChars) ? content : undefined;
    } catch {
      // Not there, or not readable: it is built anew, which costs a second.
      return undefined;
    }
  };
  return {
    async read(key) {
      const content = await get(`${key}.release`);
      if (content === undefined) return undefined;
      const headEnd = content.indexOf(10);
      const head = JSON.parse(content.toString('utf8', 0, headEnd)) as Omit<BuiltRelease, 'wasm'>;
      return { ...head, wasm: new Uint8Array(content.subarray(headEnd + 1)) };
    },
    async write(key, { wasm, ...head }) {
      await put(`${key}.release`, Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), wasm]));
    },
    async readProofs(digest) {
      const content = await get(fileName(digest, 'proofs'));
      return content === undefined ? {} : (JSON.parse(content.toString()) as Record<string, boolean>);
    },
    async writeProofs(digest, proofs) {
      await put(fileName(digest, 'proofs'), Buffer.from(JSON.stringify(proofs)));
    },
    async readBounds(digest) {
      return (await get(fileName(digest, 'bounds')))?.toString();
    },
    async writeBounds(digest, json) {
      await put(fileName(digest, 'bounds'), Buffer.from(json));
    },
    async readLast(folder) {
      const content = await get(lastName(folder));
      return content === undefined ? undefined : (JSON.parse(content.toString()) as LastGood);
    },
    async writeLast(folder, last) {
      await put(lastName(folder), Buffer.from(JSON.stringify(last)));
    },
  };
}

function lastName(folder: string): string {
  return `${sha256(Buffer.from(resolve(folder))).slice(0, 16)}.last-good`;
}

function fileName(digest: string, kind: 'proofs' | 'bounds'): string {
  return `${digest.replace(/^sha256:/, '')}.${kind}`;
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
