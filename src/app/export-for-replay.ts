import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { ExportForReplay } from '../cli/replay-tools.ts';
import { GatewayError } from '../model/errors.ts';
import { createPolicyEngine } from '../policy/pool.ts';
import type { Opa } from '../rego/opa.ts';
import { exportForReplay, type ExportReport } from '../replay/tokens/export.ts';
import { literalsOf, vocabularyOf, type Vocabulary } from '../replay/tokens/vocabulary.ts';
import { openCandidate, replayBuiltins, type Candidate } from './candidate.ts';
import { withOpa, withTraffic } from './traffic.ts';

const deadlineMs = 5_000;
const minKeyBytes = 16;

/** `castellan audit export --for-replay`. @throws GatewayError `request.invalid`, `policy.invalid`, `store.unavailable` */
export async function exportToFile(request: ExportForReplay): Promise<ExportReport> {
  const key = request.keyFile === undefined ? randomBytes(32) : await readKey(request.keyFile);
  return withTraffic(request.traffic, async ({ recorded, filter, policy, historyWindowMs }) => {
    const folder = policy ?? 'policies';
    const { inForce, vocabulary } = await withOpa(async (opa) => {
      const names = [request.policy ?? folder, ...request.also];
      const policies: Candidate[] = [];
      for (const name of names) policies.push(await openCandidate(opa, name, folder));
      return { inForce: policies[0], vocabulary: await vocabularyOfAll(opa, policies) };
    });
    if (inForce === undefined) throw new GatewayError('policy.invalid', 'there is no policy in force');
    const engine = await createPolicyEngine({
      module: inForce.module,
      dataJson: inForce.dataJson,
      builtins: replayBuiltins(),
      maxMemoryBytes: 256 * 1_048_576,
    });
    const file = lines(request.output);
    try {
      return await exportForReplay({
        recorded,
        filter,
        vocabulary,
        key,
        ask: (entry, json) => engine.evaluate(entry as 'gateway/call', json, deadlineMs),
        head: { made_at: new Date().toISOString(), release: inForce.digest, history_window_ms: historyWindowMs },
        write: file.write,
      });
    } finally {
      await Promise.all([engine.close(), file.end()]);
    }
  });
}

/** What policies know: the literals of their Rego, and their data. @throws GatewayError `policy.invalid` where the Rego is not at hand */
export async function vocabularyOfAll(opa: Opa, policies: readonly Candidate[]): Promise<Vocabulary> {
  const files = [];
  for (const { name, source } of policies) {
    if (source.bundle?.wasm !== undefined)
      throw new GatewayError(
        'policy.invalid',
        `\`${name}\` is a bundle without its Rego, so its literals are not known; give the folder that it was built from`,
      );
    files.push(...(await literalsOf(opa, source.files)));
  }
  return vocabularyOf(
    files,
    policies.map(({ dataJson }) => JSON.parse(dataJson) as unknown),
  );
}

async function readKey(path: string): Promise<Uint8Array> {
  let key: Buffer;
  try {
    key = await readFile(path);
  } catch (cause) {
    throw new GatewayError('request.invalid', `the key file \`${path}\` cannot be read; check \`--key-file\``, { cause });
  }
  if (key.length < minKeyBytes) throw new GatewayError('request.invalid', `the key file \`${path}\` has fewer than ${minKeyBytes} bytes`);
  return key;
}

/** A file, line by line; writing waits for the disk. Only its owner may read it. */
function lines(path: string): { readonly write: (line: string) => Promise<void>; readonly end: () => Promise<void> } {
  const file = createWriteStream(path, { mode: 0o600 });
  const text = path.endsWith('.gz') ? createGzip() : file;
  if (text !== file) text.pipe(file);
  let fault: unknown;
  file.on('error', (error) => {
    fault = error;
    text.destroy();
  });
  const failed = (cause: unknown): GatewayError =>
    new GatewayError('request.invalid', `\`${path}\` cannot be written; check its folder, its permissions and the space there`, { cause });
  return {
    async write(line) {
      if (fault !== undefined) throw failed(fault);
      if (!text.write(`${line}\n`)) await Promise.race([once(text, 'drain'), once(text, 'close')]);
    },
    async end() {
      text.end();
      try {
        await finished(file);
      } catch (cause) {
        throw failed(fault ?? cause);
      }
    },
  };
}
