import type { ActiveRelease } from '../model/ports.ts';
import type { EndpointView } from '../upstream/endpoint.ts';
import { buildInput, type InputDocument, type InputParts } from './build-input.ts';
import type { Call } from './call.ts';
import type { decideList } from './decide.ts';
import type { InputPlans } from './input-plan.ts';

type ListDecision = Awaited<ReturnType<typeof decideList>>;

interface Kept {
  readonly madeAtMs: number;
  readonly answer: Promise<ListDecision>;
}

/** Policy may read the clock by a builtin, which no analysis of what it reads shows: so no answer is used for longer than this. */
const maxAgeMs = 10_000;
/** Answers kept for one release and one view of an endpoint; the oldest goes first. */
const maxKept = 1_000;

/**
 * Answers of `gateway/list`, kept for everybody to whom policy would say the same: the key is the whole input but its time and the list
 * itself. What `gateway/list` does not read of the identity is not in it, so a thousand agents of one group cost one evaluation; where it
 * reads history, labels of the session or usage, their values are in the key, so an answer is never given to anyone for whom they differ. A
 * release whose answer may depend on the very request (its id, its trace, the time, the age of a token) is asked each time.
 */
export class ListAnswers {
  readonly #kept = new WeakMap<ActiveRelease, WeakMap<EndpointView, Map<string, Kept>>>();

  /** The kept answer, or the one of `ask`. Lists that come at the same moment wait for one evaluation. */
  async get(question: {
    readonly plans: InputPlans;
    readonly call: Call;
    readonly parts: InputParts;
    readonly input: InputDocument;
    readonly ask: () => Promise<ListDecision>;
  }): Promise<ListDecision> {
    const { call, parts, input, ask } = question;
    const key = keyOf(question);
    const { release, endpoint } = call.snapshot;
    if (key === undefined || release === undefined) return ask();
    const answers = this.#of(release, endpoint);
    const kept = answers.get(key);
    if (kept !== undefined && parts.atMs - kept.madeAtMs < maxAgeMs) {
      const { visible, decision } = await kept.answer;
      // A fault is nobody's answer: who waited for it asks again.
      if (decision.effect === 'deny') return ask();
      return { visible, decision: { ...decision, inputDigest: input.digest, tookMs: 0 } };
    }
    const answer = ask();
    answers.delete(key);
    answers.set(key, { madeAtMs: parts.atMs, answer });
    const [oldest] = answers.keys();
    if (answers.size > maxKept && oldest !== undefined) answers.delete(oldest);
    const given = await answer;
    if (given.decision.effect === 'deny' && answers.get(key)?.answer === answer) answers.delete(key);
    return given;
  }

  #of(release: ActiveRelease, endpoint: EndpointView): Map<string, Kept> {
    let views = this.#kept.get(release);
    if (views === undefined) this.#kept.set(release, (views = new WeakMap<EndpointView, Map<string, Kept>>()));
    let answers = views.get(endpoint);
    if (answers === undefined) views.set(endpoint, (answers = new Map<string, Kept>()));
    return answers;
  }
}

/** The input without its time and its list; `undefined` where the answer may depend on what no other request shares. */
function keyOf({ plans, call, parts }: { plans: InputPlans; call: Call; parts: InputParts }): string | undefined {
  const plan = plans.of(call.snapshot.release?.reads(parts.entry));
  const isUnique =
    plan.wants('at') ||
    plan.wantsMember('identity', 'auth') ||
    plan.wantsMember('request', 'id') ||
    plan.wantsMember('request', 'trace_id');
  if (isUnique) return undefined;
  const { listJson: _list, ...rest } = parts;
  return `${call.method} ${buildInput(plans, call, { ...rest, atMs: 0 }).json}`;
}
