import { parentPort, workerData } from 'node:worker_threads';
import { entrypoints, type Entrypoint } from '../model/decision.ts';
import { asFault } from '../policy/fault.ts';
import { becameOf, effective, isSent } from './became.ts';
import { DerivedHistory, entryKey, type CallFacts } from './derived-history.ts';
import { DerivedLimits } from './derived-limits.ts';
import type { FaithfulAnswer, FaithfulBatch, FaithfulWorkerData, RecordFacts } from './faithful-protocol.ts';
import { topLevel } from './input-slice.ts';
import { stateAt, timeBucket, timeBuckets, type ReplayHello } from './protocol.ts';
import { builtinSource, Replayed, type Known } from './replayed.ts';
import { difference, type Kind, type Verdict } from './verdict.ts';

/** Calls whose result is awaited. */
const maxOpenCalls = 20_000;

/** What one input came to. */
type Outcome = 'unknowable' | 'moot' | 'undecidable' | { readonly kind: Kind; readonly was: Verdict; readonly now: Verdict } | undefined;

/** Replays the calls of some identities in order, each on the history that the candidate would have made. */
class FaithfulReplay {
  readonly times = new Uint32Array(timeBuckets);
  evaluated = 0;
  isShared = false;
  readonly #policy: Replayed;
  readonly #history: DerivedHistory;
  readonly #limits = new DerivedLimits();
  readonly #calls = new Map<string, CallFacts>();
  readonly #isAlone: boolean;
  readonly #state: Int32Array;

  constructor(data: FaithfulWorkerData, policy: Replayed) {
    this.#policy = policy;
    this.#isAlone = data.isAlone;
    this.#state = new Int32Array(data.state);
    const reads = [...data.candidate.reads.values()];
    const mayRead = (key: string, member?: string): boolean =>
      reads.some((kept) => {
        const members = kept?.get(key);
        return kept === null || members === null || (members !== undefined && (member === undefined || members.has(member)));
      });
    this.#history = new DerivedHistory(data.historyWindowMs, (part) =>
      part === 'history' ? mayRead('history') : mayRead('session', 'labels'),
    );
  }

  one(entry: Entrypoint, json: string, recorded: Verdict, facts: RecordFacts): Outcome {
    if (!this.#policy.has(entry)) return 'undecidable';
    if (entry === 'gateway/result') return this.#result(this.#calls.get(facts.call), json, recorded, facts.isIndependent);
    const call = callFacts(json, facts);
    if (this.#calls.size > maxOpenCalls) this.#calls.delete(this.#calls.keys().next().value ?? '');
    this.#calls.set(facts.call, call);
    this.#limits.began(call.atMs);
    const given = this.#history.input(call, json, facts.isIndependent);
    // What depends on what nobody knows goes on as it was recorded.
    if (!given.known) {
      this.#note(entry, call, facts, recorded, recorded);
      return 'unknowable';
    }
    const now = this.#evaluate(entry, given.json);
    const met = this.#counted(call, facts, recorded, now);
    if (met === undefined) {
      this.#note(entry, call, facts, recorded, recorded);
      return 'unknowable';
    }
    this.#note(entry, call, facts, recorded, met);
    return differs(effective(recorded), effective(met));
  }

  #result(call: CallFacts | undefined, json: string, recorded: Verdict, isIndependent: boolean): Outcome {
    // Its call was decided before the first that is on record.
    if (call === undefined) return differs(recorded, this.#evaluate('gateway/result', json).verdict);
    if (this.#history.hasNoResult(call)) return 'moot';
    const given = this.#history.input(call, json, isIndependent);
    if (!given.known) {
      this.#history.judged(call, recorded.labels, recorded.labels, undefined);
      return 'unknowable';
    }
    const { verdict: now } = this.#evaluate('gateway/result', given.json);
    const [wasPassed, isPassed] = [isSent(recorded.effect), isSent(now.effect)];
    const failed = !isPassed || /^\{[^]*"isError":true/.test(topLevel(json)?.get('result') ?? '');
    this.#history.judged(call, recorded.labels, now.labels, wasPassed === isPassed ? undefined : failed ? 'error' : 'ok');
    return differs(recorded, now);
  }

  /** What the call met under the candidate once its limits are counted; `undefined` where nobody knows. */
  #counted(call: CallFacts, { tenant, limits, subject }: RecordFacts, recorded: Verdict, now: Known): Verdict | undefined {
    if (limits.length === 0 && now.limits.length === 0) return now.verdict;
    if (!this.#isAlone && [...limits, ...now.limits].some(({ key }) => !key.includes(subject))) this.isShared = true;
    const counted = this.#limits.take(tenant, now.limits, { limits, limited: recorded.limited }, isSent(now.verdict.effect), call.atMs);
    if (!isSent(now.verdict.effect)) return now.verdict;
    if (!counted.known) return undefined;
    return counted.rule === undefined ? now.verdict : { ...now.verdict, limited: counted.rule };
  }

  #note(entry: Entrypoint, call: CallFacts, { server, observed }: RecordFacts, recorded: Verdict, met: Verdict): void {
    if (entry === 'gateway/list') return;
    const said = effective(recorded);
    // What was only observed was sent as it came; what depends on it is as the candidate, enforced, would have made it.
    const was: Verdict = observed ? { ...said, effect: 'allow', redactions: [] } : said;
    const now = effective(met);
    const labels = (verdict: Verdict): readonly string[] =>
      isSent(verdict.effect) ? [...new Set([...call.toolLabels, ...verdict.labels])] : [];
    this.#history.decided(call, {
      became: becameOf(was, now),
      recorded: labels(was),
      derived: labels(now),
      isCounted: server !== null,
      deniedMore: Number(now.effect === 'deny') - Number(was.effect === 'deny'),
    });
  }

  #evaluate(entry: Entrypoint, json: string): Known {
    const sliced = this.#policy.slice(entry, json);
    const seen = this.#policy.seen(entry, sliced);
    if (seen !== undefined) return seen;
    Atomics.add(this.#state, stateAt.begun, 1);
    const beganMs = performance.now();
    const known = this.#policy.evaluate(entry, sliced);
    const bucket = timeBucket((performance.now() - beganMs) * 1000);
    this.times[bucket] = (this.times[bucket] ?? 0) + 1;
    this.evaluated++;
    this.#policy.keep(entry, sliced, known);
    return known;
  }
}

function differs(was: Verdict, now: Verdict): Outcome {
  const kind = difference(was, now);
  return kind === undefined ? undefined : { kind, was, now };
}

function callFacts(json: string, facts: RecordFacts): CallFacts {
  const at = JSON.parse(topLevel(json)?.get('at') ?? '""') as string;
  const { identity, session, toolLabels, argumentsDigest, server, name } = facts;
  const key = entryKey({ at, arguments_digest: argumentsDigest, server, tool: name });
  return { identity, session, key, atMs: Date.parse(at), toolLabels };
}

function start(port: NonNullable<typeof parentPort>, data: FaithfulWorkerData, builtins: Awaited<ReturnType<typeof builtinSource>>): void {
  let policy: Replayed;
  try {
    policy = new Replayed(data.candidate, builtins, data.maxMemoryBytes);
  } catch (thrown) {
    port.postMessage({ kind: 'broken', message: asFault(thrown).message } satisfies ReplayHello);
    return;
  }
  const replay = new FaithfulReplay(data, policy);
  const state = new Int32Array(data.state);
  port.on('message', (batch: FaithfulBatch) => {
    const changed: FaithfulAnswer['changed'][number][] = [];
    const unknowable: number[] = [];
    const counts = { moot: 0, undecidable: 0 };
    const evaluatedBefore = replay.evaluated;
    replay.times.fill(0);
    for (let at = 0; at < batch.length; at += 4) {
      Atomics.store(state, stateAt.index, at / 4);
      const entry = entrypoints[batch[at] as number] as Entrypoint;
      const recorded = JSON.parse(batch[at + 2] as string) as Verdict;
      const outcome = replay.one(entry, batch[at + 1] as string, recorded, JSON.parse(batch[at + 3] as string) as RecordFacts);
      if (outcome === 'unknowable') unknowable.push(at / 4);
      else if (typeof outcome === 'string') counts[outcome]++;
      else if (outcome !== undefined) changed.push({ index: at / 4, ...outcome });
    }
    Atomics.store(state, stateAt.index, -1);
    const evaluated = replay.evaluated - evaluatedBefore;
    port.postMessage({
      changed,
      unknowable,
      ...counts,
      evaluated,
      times: replay.times.slice(),
      isShared: replay.isShared,
    } satisfies FaithfulAnswer);
  });
  port.postMessage({ kind: 'ready' } satisfies ReplayHello);
}

if (parentPort !== null) {
  const data = workerData as FaithfulWorkerData;
  start(parentPort, data, await builtinSource(data));
}
