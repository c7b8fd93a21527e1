import { buildInput } from '../../src/call/build-input.ts';
import { faultDecision } from '../../src/call/decide.ts';
import { History, TrackedCall } from '../../src/call/history.ts';
import { InputPlans } from '../../src/call/input-plan.ts';
import { LimitCounter } from '../../src/call/limits.ts';
import { decidedRecord, finishedRecord } from '../../src/call/record.ts';
import { Session } from '../../src/call/session.ts';
import { createContent } from '../../src/content/content.ts';
import type { Decision, Entrypoint } from '../../src/model/decision.ts';
import { identityKey, type Identity } from '../../src/model/identity.ts';
import type { ReleaseId } from '../../src/model/ids.ts';
import type { ToolFacts } from '../../src/model/input.ts';
import type { JsonObject } from '../../src/model/json.ts';
import type { PolicyEngine } from '../../src/model/ports.ts';
import type { RecordedDecision, RecordedDecisions } from '../../src/model/recorded.ts';
import { alice, callTo, session, startMs } from '../call/calls.ts';

/** Decisions in memory, as the port reads them. */
export function inMemory(all: readonly RecordedDecision[]): RecordedDecisions {
  return {
    async *read({ sinceMs, untilMs, afterSeq, entries }) {
      for (const one of all) {
        await Promise.resolve();
        const atMs = Date.parse(one.record.at);
        if ((sinceMs ?? 0) > atMs || (untilMs ?? Infinity) <= atMs || (afterSeq ?? 0) >= one.seq) continue;
        if (entries?.includes(one.entry) === false) continue;
        yield one;
      }
    },
    ofCall: (_tenant, id) => Promise.resolve(all.filter(({ record }) => record.call === id)),
  };
}

export function tool(server: string, name: string, more: Partial<ToolFacts> = {}): ToolFacts {
  return {
    server,
    name,
    exposed_name: name,
    annotations: {},
    labels: [],
    definition_digest: `sha256:${'0'.repeat(64)}`,
    pinned: true,
    ...more,
  };
}

export function person(subject: string, groups: readonly string[]): Identity {
  return { ...alice, subject, groups, claims: {} };
}

/**
 * Records calls as the gateway does it: its own history, input builder, limits and records around a real engine. What a server would answer is
 * given with the call.
 */
export class Recorder {
  readonly recorded: RecordedDecision[] = [];
  readonly windowMs = 3_600_000;
  readonly #engine: PolicyEngine;
  readonly #plans = new InputPlans();
  readonly #history: History;
  readonly #limits = new LimitCounter();
  readonly #sessions = new Map<string, Session>();
  readonly #content = createContent({
    secrets: true,
    personalData: ['email', 'card', 'ssn', 'iban'],
    hiddenText: true,
    maxScanBytes: 1_048_576,
    hashKey: new Uint8Array(32),
  });
  #nowMs = startMs;

  constructor(engine: PolicyEngine, maxEntries = 20) {
    this.#history = new History({ maxEntries, windowMs: this.windowMs, maxIdentities: 1_000 });
    this.#engine = engine;
  }

  later(ms: number): void {
    this.#nowMs += ms;
  }

  async call(who: Identity, facts: ToolFacts, subject: JsonObject, result: JsonObject = { content: [] }): Promise<Decision> {
    this.#nowMs += 1_000;
    const atMs = this.#nowMs;
    const key = identityKey(who);
    const at = this.#session(who, key);
    const call = callTo({
      session: at,
      identity: who,
      subject,
      tool: facts,
      target: { kind: 'tool', server: facts.server, name: facts.name },
    });
    const tracked = new TrackedCall(atMs, at.publicId, {
      method: call.method,
      server: facts.server,
      tool: facts.name,
      labels: facts.labels,
      arguments_digest: call.subjectDigest,
    });
    const history = this.#history.begin(key, tracked);
    const shared = { history, approval: null, environmentJson: '{"name":"test","labels":{}}' };
    const input = buildInput(this.#plans, call, {
      ...shared,
      entry: 'gateway/call',
      phase: 'call',
      atMs,
      findings: this.#content.scan(subject, '/arguments'),
    });
    let decision = await this.#decide('gateway/call', input);
    const reached = decision.effect === 'deny' ? undefined : this.#limits.take(who.tenant, decision.limits, atMs);
    if (reached !== undefined) decision = { ...decision, effect: 'deny', reasons: [reached] };
    at.calls++;
    if (decision.effect === 'deny') at.denied++;
    this.#add('gateway/call', decidedRecord(call, decision, atMs), input.json);
    if (decision.effect === 'deny' || decision.effect === 'require_approval') {
      this.#history.settle(key, tracked, decision.effect, 'denied', [], atMs);
      return decision;
    }
    this.#history.carry(tracked, decision.labels);
    const back = buildInput(this.#plans, call, {
      ...shared,
      entry: 'gateway/result',
      phase: 'result',
      atMs: atMs + 10,
      findings: this.#content.scan(result, '/result'),
      result,
    });
    const judged = await this.#decide('gateway/result', back);
    const labels = [...new Set([...tracked.labels, ...decision.labels, ...judged.labels])];
    this.#history.settle(key, tracked, decision.effect, judged.effect === 'deny' ? 'error' : 'ok', labels, atMs + 10);
    const status = judged.effect === 'deny' ? 'withheld' : 'ok';
    this.#add('gateway/result', finishedRecord(call, { status, bytes: 10, total_ms: 10 }, atMs + 10, judged), back.json);
    return decision;
  }

  async #decide(entry: 'gateway/call' | 'gateway/result', input: ReturnType<typeof buildInput>): Promise<Decision> {
    const given = await this.#engine.evaluate(entry, input.json, 5_000);
    const release = 'local@0' as ReleaseId;
    if (!given.ok) return faultDecision(given.fault, given.message, release, input.digest, given.tookMs);
    const { effect, reasons, redactions, labels, limits, dry_run: dryRun, approval } = given.answer;
    const decision = { effect, reasons, redactions, labels, limits, dryRun, release, inputDigest: input.digest, tookMs: given.tookMs };
    return approval === undefined || approval === null ? decision : { ...decision, approval };
  }

  #session(who: Identity, key: string): Session {
    let found = this.#sessions.get(key);
    if (found === undefined) this.#sessions.set(key, (found = session(who)));
    return found;
  }

  #add(entry: Entrypoint, record: RecordedDecision['record'], json: string): void {
    this.recorded.push({ seq: this.recorded.length + 1, record, entry, input: { state: 'kept', json } });
  }
}
