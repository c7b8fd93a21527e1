import { gunzipSync } from 'node:zlib';
import { GatewayError } from '../model/errors.ts';

/** What a bundle may hold, unpacked. */
export interface ArchiveLimits {
  readonly maxFiles: number;
  readonly maxTotalBytes: number;
}

const blockBytes = 512;
const regular = new Set(['', '0', '7']);
const folder = '5';
/** Headers of the writer that say nothing about a file: those of PAX are read for the path, which may be too long for the plain one. */
const paxFile = 'x';
const paxGlobal = 'g';
const gnuLongName = 'L';

/**
 * The files of a gzipped tar, as `opa build` writes it: path (without a leading slash) to content. Refused is what a bundle never has: links
 * and devices, paths that leave the tree, a path twice, more than the limits.
 * @throws GatewayError `policy.invalid`
 */
export function readArchive(packed: Uint8Array, limits: ArchiveLimits): Map<string, Uint8Array> {
  const tar = unpack(packed, limits);
  const files = new Map<string, Uint8Array>();
  let longName: string | undefined;
  for (let at = 0; at + blockBytes <= tar.length;) {
    const header = tar.subarray(at, at + blockBytes);
    if (header.every((byte) => byte === 0)) break;
    checkSum(header);
    const size = octal(header.subarray(124, 136));
    const from = at + blockBytes;
    if (from + size > tar.length) throw refused('it is cut short');
    const content = tar.subarray(from, from + size);
    at = from + Math.ceil(size / blockBytes) * blockBytes;
    const type = text(header.subarray(156, 157));
    if (type === gnuLongName) longName = text(content);
    else if (type === paxFile) longName = paxPath(content) ?? longName;
    else if (type !== paxGlobal) {
      const name = longName ?? plainName(header);
      longName = undefined;
      if (type === folder) continue;
      if (!regular.has(type)) throw refused(`\`${name}\` is a link or a device`);
      const path = insidePath(name);
      if (files.has(path)) throw refused(`\`${path}\` is in it twice`);
      if (files.size >= limits.maxFiles) throw refused(`it has more than ${limits.maxFiles} files`);
      files.set(path, content);
    }
  }
  return files;
}

/** A path of a bundle as one from its root. @throws GatewayError when it leads out of it */
export function insidePath(name: string): string {
  const path = name.replace(/^(?:\.?\/)+/, '');
  if (
    path === '' ||
    path.includes('\\') ||
    path.includes('\0') ||
    path.split('/').some((step) => step === '..' || step === '.' || step === '')
  )
    throw refused(`the path \`${name}\` does not stay inside of it`);
  return path;
}

function unpack(packed: Uint8Array, { maxTotalBytes, maxFiles }: ArchiveLimits): Buffer {
  try {
    return gunzipSync(packed, { maxOutputLength: maxTotalBytes + 2 * blockBytes * maxFiles });
  } catch (cause) {
    const isTooLarge = cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
    throw refused(isTooLarge ? `unpacked it is larger than ${maxTotalBytes} bytes` : 'it is no gzipped tar', cause);
  }
}

/** The sum of the header's bytes, with its own field taken as blanks. */
function checkSum(header: Uint8Array): void {
  let sum = 0;
  header.forEach((byte, index) => (sum += index >= 148 && index < 156 ? 32 : byte));
  if (sum !== octal(header.subarray(148, 156))) throw refused('it is no tar, or damaged');
}

function plainName(header: Uint8Array): string {
  const [name, prefix] = [text(header.subarray(0, 100)), text(header.subarray(345, 500))];
  return prefix === '' || !text(header.subarray(257, 262)).startsWith('ustar') ? name : `${prefix}/${name}`;
}

/** Records of the form `<length> <key>=<value>\n`. */
function paxPath(content: Uint8Array): string | undefined {
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(Buffer.from(content).toString())?.[1];
}

function octal(field: Uint8Array): number {
  const digits = text(field).trim();
  if (!/^[0-7]{1,11}$/.test(digits)) throw refused('it is no tar, or damaged');
  return Number.parseInt(digits, 8);
}

function text(field: Uint8Array): string {
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString();
}

function refused(why: string, cause?: unknown): GatewayError {
  return new GatewayError(
    'policy.invalid',
    `the bundle cannot be used: ${why}; build it with \`opa build\``,
    cause === undefined ? {} : { cause },
  );
}
