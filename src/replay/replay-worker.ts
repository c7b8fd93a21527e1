import { parentPort, workerData } from 'node:worker_threads';
import { entrypoints, type Entrypoint } from '../model/decision.ts';
import { asFault } from '../policy/fault.ts';
import {
  stateAt,
  timeBucket,
  timeBuckets,
  type Changed,
  type ReplayAnswer,
  type ReplayBatch,
  type ReplayHello,
  type ReplayWorkerData,
} from './protocol.ts';
import { builtinSource, Interned, Replayed, type Known } from './replayed.ts';
import { difference, type Kind, type Verdict } from './verdict.ts';

/** Every so many evaluations the release in force is asked too, for its speed. */
const sampleEvery = 8;
/** Beyond it what is remembered of pairs is forgotten whole. */
const maxPairs = 100_000;

function start(port: NonNullable<typeof parentPort>, data: ReplayWorkerData, builtins: Awaited<ReturnType<typeof builtinSource>>): void {
  const state = new Int32Array(data.state);
  let candidate: Replayed;
  let base: Replayed | undefined;
  try {
    candidate = new Replayed(data.candidate, builtins, data.maxMemoryBytes);
    base = data.base && new Replayed(data.base, builtins, data.maxMemoryBytes);
  } catch (thrown) {
    port.postMessage({ kind: 'broken', message: asFault(thrown).message } satisfies ReplayHello);
    return;
  }

  const recorded = new Interned((text) => ({ verdict: JSON.parse(text) as Verdict, limits: [] }));
  let pairs = new Map<string, Kind | null>();
  const compare = (was: Known, now: Known, entry: Entrypoint): Kind | undefined => {
    if (now.id < 0) return difference(was.verdict, now.verdict);
    const key = `${entry} ${was.id} ${now.id}`;
    const known = pairs.get(key);
    if (known !== undefined) return known ?? undefined;
    const kind = difference(was.verdict, now.verdict);
    if (pairs.size > maxPairs) pairs = new Map();
    pairs.set(key, kind ?? null);
    return kind;
  };

  let evaluations = 0;
  port.on('message', (batch: ReplayBatch) => {
    const changed: Changed[] = [];
    const times = new Uint32Array(timeBuckets);
    const sampled = { candidate: new Uint32Array(timeBuckets), base: new Uint32Array(timeBuckets) };
    let evaluated = 0;
    let undecidable = 0;
    const timed = (policy: Replayed, entry: Entrypoint, sliced: string): { known: Known; bucket: number } => {
      const beganMs = performance.now();
      const known = policy.evaluate(entry, sliced);
      return { known, bucket: timeBucket((performance.now() - beganMs) * 1000) };
    };
    for (let at = 0; at < batch.length; at += 3) {
      const index = at / 3;
      const entry = entrypoints[batch[at] as number] as Entrypoint;
      const inputJson = batch[at + 1] as string;
      if (!candidate.has(entry)) {
        undecidable++;
        continue;
      }
      Atomics.store(state, stateAt.index, index);
      Atomics.add(state, stateAt.begun, 1);
      const sliced = candidate.slice(entry, inputJson);
      let now = candidate.seen(entry, sliced);
      if (now === undefined) {
        const { known, bucket } = timed(candidate, entry, sliced);
        now = known;
        candidate.keep(entry, sliced, now);
        times[bucket] = (times[bucket] ?? 0) + 1;
        evaluated++;
        if (base?.has(entry) === true && ++evaluations % sampleEvery === 0) {
          sampled.candidate[bucket] = (sampled.candidate[bucket] ?? 0) + 1;
          const { bucket: baseBucket } = timed(base, entry, base.slice(entry, inputJson));
          sampled.base[baseBucket] = (sampled.base[baseBucket] ?? 0) + 1;
        }
      }
      const kind = compare(recorded.get(batch[at + 2] as string), now, entry);
      if (kind !== undefined) changed.push({ index, kind, now: now.verdict });
    }
    Atomics.store(state, stateAt.index, -1);
    port.postMessage({ changed, evaluated, undecidable, times, sampled } satisfies ReplayAnswer);
  });
  port.postMessage({ kind: 'ready' } satisfies ReplayHello);
}

if (parentPort !== null) {
  const data = workerData as ReplayWorkerData;
  start(parentPort, data, await builtinSource(data));
}
