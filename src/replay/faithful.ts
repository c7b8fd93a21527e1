import { hash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { entrypoints, type Entrypoint } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import type { RecordedDecision } from '../model/recorded.ts';
import { workerUrl } from '../model/worker-url.ts';
import type { FaithfulAnswer, FaithfulBatch, FaithfulWorkerData, RecordFacts } from './faithful-protocol.ts';
import { stateAt, stateBytes, type ReplayHello } from './protocol.ts';
import { policyOf, Tally, type Item, type ReplayOptions } from './replay.ts';
import type { ReplayReport } from './report.ts';

export interface FaithfulOptions extends ReplayOptions {
  /** How long a call and its labels stay in history, as the gateway was configured. */
  readonly historyWindowMs: number;
  /** Says of each input whether its answer depends on neither history nor labels, whatever they are. Absent: nothing is known of that. */
  readonly independent?: ((inputs: readonly Question[]) => Promise<readonly boolean[]>) | undefined;
}

/** One input of one entrypoint. */
export interface Question {
  readonly entry: Entrypoint;
  readonly inputJson: string;
}

/** Inputs that are looked at more closely; further ones stay unknowable. */
const maxQuestions = 3_000;
/** What is known of one input can make others unknowable that were not: each round knows more. */
const maxRounds = 3;

const batchSize = 256;
const maxGiven = 3;
const maxOpenCalls = 200_000;

/**
 * As {@link replay}, with history, labels and counted limits as they would have been under the candidate: calls of one identity in order, each on
 * what the candidate made of those before. What depends on a call whose outcome nobody knows is counted as unknowable.
 * @throws GatewayError as `replay`; `policy.fault` when an evaluation takes too long, since what follows would hang on it
 */
export async function replayFaithfully(options: FaithfulOptions): Promise<ReplayReport> {
  let workers = options.workers ?? availableParallelism();
  const asked = new Map<number, boolean>();
  for (let round = 1; ; round++) {
    const unsure = new Map<number, Question>();
    let report = await attempt(options, workers, asked, unsure);
    if (report === undefined) {
      // A limit is counted over several identities: one worker sees them all.
      workers = 1;
      unsure.clear();
      report = await attempt(options, workers, asked, unsure);
    }
    if (report === undefined) throw new GatewayError('gateway.internal', 'a worker that sees every call cannot share a limit');
    const open = [...unsure].filter(([seq]) => !asked.has(seq)).slice(0, maxQuestions);
    if (options.independent === undefined || open.length === 0 || round === maxRounds) return report;
    const answers = await options.independent(open.map(([, question]) => question));
    open.forEach(([seq], index) => asked.set(seq, answers[index] === true));
    if (!answers.includes(true)) return report;
  }
}

/** One pass over what is on record; `asked` is what is known of inputs, `unsure` gets those that stay unknowable. */
async function attempt(
  options: FaithfulOptions,
  workers: number,
  asked: ReadonlyMap<number, boolean>,
  unsure: Map<number, Question>,
): Promise<ReplayReport | undefined> {
  const tally = new Tally(options, 'faithful');
  const shards: Shard[] = [];
  try {
    for (let index = 0; index < workers; index++) shards.push(new Shard(options, workers === 1, tally, unsure));
    await Promise.all(shards.map(async (shard) => shard.ready));
    const calls = new Map<string, RecordFacts>();
    for await (const one of options.recorded.read(options.filter)) {
      const item = tally.read(one);
      const facts = factsOf(one, calls);
      if (item === undefined || facts === undefined) continue;
      const shard = shards[shardOf(facts.identity, workers)];
      await shard?.add(item, asked.get(one.seq) === true ? { ...facts, isIndependent: true } : facts);
      if (shards.some(({ isShared }) => isShared)) return undefined;
    }
    await Promise.all(shards.map(async (shard) => shard.drain()));
    return shards.some(({ isShared }) => isShared) ? undefined : tally.report(workers);
  } finally {
    await Promise.all(shards.map(async (shard) => shard.end()));
  }
}

function shardOf(identity: string, shards: number): number {
  return shards === 1 ? 0 : Number.parseInt(hash('sha256', identity).slice(0, 8), 16) % shards;
}

/** Who and what: a finished record has it in the decided one of the same call. */
function factsOf({ record, entry }: RecordedDecision, calls: Map<string, RecordFacts>): RecordFacts | undefined {
  const { call = '', who, what, session = '', tenant, decision } = record;
  if (entry === 'gateway/result') {
    const known = calls.get(call);
    calls.delete(call);
    return known ?? { ...nobody, tenant, call };
  }
  if (who === undefined || what === undefined) return undefined;
  const facts: RecordFacts = {
    tenant,
    call,
    identity: JSON.stringify([tenant, who.issuer, who.subject, who.client]),
    subject: who.subject,
    session,
    server: what.server,
    name: what.name,
    argumentsDigest: what.arguments_digest ?? '',
    toolLabels: what.labels ?? [],
    limits: decision?.limits ?? [],
    isIndependent: false,
    observed: decision?.enforced === false,
  };
  if (calls.size >= maxOpenCalls) calls.delete(calls.keys().next().value ?? '');
  calls.set(call, facts);
  return facts;
}

const nobody = {
  identity: '',
  subject: '',
  session: '',
  server: null,
  name: '',
  argumentsDigest: '',
  toolLabels: [],
  limits: [],
  isIndependent: false,
  observed: false,
} as const;

/** One worker thread, and the identities that are its own. */
class Shard {
  readonly ready: Promise<void>;
  isShared = false;
  readonly #worker: Worker;
  readonly #tally: Tally;
  readonly #unsure: Map<number, Question>;
  readonly #given: (readonly Item[])[] = [];
  readonly #state: Int32Array;
  readonly #deadlineMs: number;
  #batch: FaithfulBatch = [];
  #items: Item[] = [];
  #wake: (() => void) | undefined;
  #lost: Error | undefined;
  #watch: NodeJS.Timeout | undefined;

  constructor(
    { candidate, builtins, maxMemoryBytes, historyWindowMs, deadlineMs = 5_000 }: FaithfulOptions,
    isAlone: boolean,
    tally: Tally,
    unsure: Map<number, Question>,
  ) {
    this.#tally = tally;
    this.#unsure = unsure;
    this.#deadlineMs = deadlineMs;
    const state = new SharedArrayBuffer(stateBytes);
    this.#state = new Int32Array(state);
    this.#state[stateAt.index] = -1;
    this.#worker = new Worker(workerUrl(import.meta.url, './faithful-worker'), {
      name: 'replay',
      workerData: {
        candidate: policyOf(candidate),
        builtins,
        maxMemoryBytes: maxMemoryBytes ?? 256 * 1_048_576,
        historyWindowMs,
        state,
        isAlone,
      } satisfies FaithfulWorkerData,
      resourceLimits: { maxOldGenerationSizeMb: 1_024 },
      env: {},
      stdin: false,
    });
    this.ready = new Promise<void>((resolve, reject) => {
      this.#worker.once('message', (hello: ReplayHello) => {
        if (hello.kind === 'broken') {
          reject(new GatewayError('policy.invalid', `the policy cannot be loaded: ${hello.message}`));
          return;
        }
        this.#worker.on('message', (answer: FaithfulAnswer) => this.#answered(answer));
        this.#watch = setInterval(this.#look(), 100);
        resolve();
      });
      const lose = (why: unknown): void => {
        this.#lost ??= why instanceof Error ? why : new Error(`the worker that replays ended with code ${String(why)}`);
        reject(this.#lost);
        this.#wake?.();
      };
      this.#worker.once('error', lose);
      this.#worker.once('exit', lose);
    });
    this.ready.catch(() => undefined);
  }

  /** Resolves when there is room for more. */
  async add(item: Item, facts: RecordFacts): Promise<void> {
    this.#items.push(item);
    this.#batch.push(entrypoints.indexOf(item.one.entry), item.json, JSON.stringify(item.was), JSON.stringify(facts));
    if (this.#items.length >= batchSize) await this.#send();
  }

  async drain(): Promise<void> {
    if (this.#items.length > 0) await this.#send();
    await this.#until(() => this.#given.length === 0);
  }

  async end(): Promise<void> {
    clearInterval(this.#watch);
    await this.#worker.terminate();
  }

  async #send(): Promise<void> {
    await this.#until(() => this.#given.length < maxGiven);
    this.#given.push(this.#items);
    this.#worker.postMessage(this.#batch);
    this.#items = [];
    this.#batch = [];
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done()) {
      if (this.#lost !== undefined) throw this.#lost;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #answered(answer: FaithfulAnswer): void {
    const items = this.#given.shift() ?? [];
    this.isShared ||= answer.isShared;
    this.#tally.derived(answer, items);
    for (const index of answer.unknowable) {
      const item = items[index];
      if (item !== undefined && this.#unsure.size < maxQuestions * maxRounds)
        this.#unsure.set(item.one.seq, { entry: item.one.entry, inputJson: item.json });
    }
    this.#wake?.();
  }

  /** Looks for an evaluation that does not end: what follows hangs on it, so the replay ends there. */
  #look(): () => void {
    let seen = { begun: -1, sinceMs: 0 };
    return () => {
      const begun = Atomics.load(this.#state, stateAt.begun);
      const index = Atomics.load(this.#state, stateAt.index);
      const isResting = index < 0 || Atomics.load(this.#state, stateAt.loading) === 1;
      if (isResting || begun !== seen.begun) seen = { begun, sinceMs: performance.now() };
      else if (performance.now() - seen.sinceMs > this.#deadlineMs) {
        const call = this.#given[0]?.[index]?.one.record.call ?? '';
        this.#lost = new GatewayError(
          'policy.fault',
          `the candidate takes too long on call \`${call}\`; replay it with \`--mode recorded\``,
        );
        void this.end();
        this.#wake?.();
      }
    };
  }
}
