import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { GatewayError } from '../model/errors.ts';
import { isJsonObject, type Json } from '../model/json.ts';
import type { RecordedDecision, RecordedDecisions, RecordedFilter } from '../model/recorded.ts';

/** The first line of an export for replay. */
export interface ExportHead {
  readonly castellan_replay_export: 1;
  readonly made_at: string;
  /** The release that it was checked with. */
  readonly release: string;
  /** Whether values are tokens. */
  readonly tokenised: boolean;
  /** How long history reaches, in ms. */
  readonly history_window_ms: number;
  /** What values were kept for: literals and numbers that the policy knew. */
  readonly vocabulary: { readonly literals: readonly string[]; readonly numbers: readonly number[] };
}

/**
 * Decisions in a file, as `castellan audit export --for-replay` writes it: JSON Lines, a head and then one decision each, in the order of their
 * numbers; gzip where the name ends in `.gz`. The tenant of a filter does not count: an export is of one.
 */
export class RecordedFile implements RecordedDecisions {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws GatewayError `request.invalid` where it is no such file */
  async head(): Promise<ExportHead> {
    for await (const line of this.#lines()) return headOf(line, this.#path);
    throw noExport(this.#path);
  }

  /** @throws GatewayError `request.invalid` where it is no such file */
  async *read(filter: RecordedFilter): AsyncIterable<RecordedDecision> {
    let count = 0;
    for await (const line of this.#lines()) {
      if (count++ === 0) {
        headOf(line, this.#path);
        continue;
      }
      if (line === '') continue;
      const one = decisionOf(line, this.#path, count);
      const atMs = Date.parse(one.record.at);
      if (filter.sinceMs !== undefined && atMs < filter.sinceMs) continue;
      if (filter.untilMs !== undefined && atMs >= filter.untilMs) continue;
      if (filter.afterSeq !== undefined && one.seq <= filter.afterSeq) continue;
      if (filter.entries !== undefined && !filter.entries.includes(one.entry)) continue;
      yield one;
    }
    if (count === 0) throw noExport(this.#path);
  }

  async ofCall(tenant: string, callId: string): Promise<readonly RecordedDecision[]> {
    const found = [];
    for await (const one of this.read({ tenant })) if (one.record.call === callId) found.push(one);
    return found;
  }

  async *#lines(): AsyncIterable<string> {
    const file = createReadStream(this.#path);
    const text = this.#path.endsWith('.gz') ? file.pipe(createGunzip()) : file;
    try {
      // An error of the file does not reach the stream that it is piped into.
      file.on('error', (error) => text.destroy(error));
      yield* createInterface({ input: text, crlfDelay: Number.POSITIVE_INFINITY });
      if (text.errored !== null) throw text.errored;
    } catch (cause) {
      throw new GatewayError('request.invalid', `\`${this.#path}\` cannot be read; give the file that an export wrote`, { cause });
    } finally {
      file.destroy();
    }
  }
}

function headOf(line: string, path: string): ExportHead {
  const head = parsed(line);
  if (!isJsonObject(head) || head['castellan_replay_export'] !== 1) throw noExport(path);
  return head as unknown as ExportHead;
}

function decisionOf(line: string, path: string, at: number): RecordedDecision {
  const one = parsed(line);
  if (!isJsonObject(one) || !isJsonObject(one['record']) || !isJsonObject(one['input']) || typeof one['entry'] !== 'string')
    throw new GatewayError('request.invalid', `line ${at} of \`${path}\` is no recorded decision; export it again`);
  return one as unknown as RecordedDecision;
}

function parsed(line: string): Json | undefined {
  try {
    return JSON.parse(line) as Json;
  } catch {
    return undefined; // Said by whoever asked: it knows what should stand there.
  }
}

function noExport(path: string): GatewayError {
  return new GatewayError('request.invalid', `\`${path}\` is no export for replay; make one with \`castellan audit export --for-replay\``);
}
