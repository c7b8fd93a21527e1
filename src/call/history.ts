import type { HistoryEntry } from '../model/input.ts';
import { isoTime } from '../model/iso-time.ts';
import { TextPart } from '../model/text-part.ts';

/**
 * A call as history keeps it. It changes from pending to its outcome; its JSON is made in two halves, of which the first, larger one stays as it
 * is unless its labels change: that one is stored once, however many inputs the call stands in.
 */
export class TrackedCall {
  readonly atMs: number;
  readonly sessionId: string;
  /** Two calls with the same key are the same call: same method, target and arguments. */
  readonly sameKey: string;
  /** The JSON of what stays as it is: before the labels, and after them. */
  readonly #head: string;
  readonly #tail: string;
  #labels: readonly string[];
  #labelsJson: string;
  #effect = '';
  #outcome: HistoryEntry['outcome'] = 'pending';
  #lasting: TextPart | undefined;
  /** The rest as its own session sees it, and as others do. */
  #here: string | undefined;
  #elsewhere: string | undefined;

  constructor(atMs: number, sessionId: string, entry: Omit<HistoryEntry, 'same_session' | 'effect' | 'outcome' | 'at'>) {
    const { method, server, tool, labels, arguments_digest: digest } = entry;
    this.atMs = atMs;
    this.sessionId = sessionId;
    this.sameKey = `${method} ${server ?? ''} ${tool} ${digest}`;
    this.#labels = labels;
    this.#labelsJson = labelsJson(labels);
    const target = `"server":${JSON.stringify(server)},"tool":${JSON.stringify(tool)}`;
    this.#head = `{"at":"${isoTime(atMs)}","method":${JSON.stringify(method)},${target},"labels":`;
    this.#tail = `,"arguments_digest":${JSON.stringify(digest)},"effect":`;
  }

  get labels(): readonly string[] {
    return this.#labels;
  }

  get pending(): boolean {
    return this.#outcome === 'pending';
  }

  /** Adds labels while the call is in flight. */
  carry(labels: readonly string[]): void {
    if (labels.length === 0) return;
    const missing = labels.filter((label) => !this.#labels.includes(label));
    if (missing.length > 0) this.#change([...this.#labels, ...missing]);
  }

  settle(effect: string, outcome: HistoryEntry['outcome'], labels: readonly string[]): void {
    this.#effect = effect;
    this.#outcome = outcome;
    this.#change(labels);
  }

  /** The first half of the entry's JSON; joined, so that the text lies in one piece for its many readers. */
  lasting(): TextPart {
    return (this.#lasting ??= new TextPart([this.#head, this.#labelsJson, this.#tail].join('')));
  }

  /** The second half; `same_session` is all that depends on who asks. */
  rest(sessionId: string): string {
    return sessionId === this.sessionId ? (this.#here ??= this.#end(true)) : (this.#elsewhere ??= this.#end(false));
  }

  #change(labels: readonly string[]): void {
    if (labels !== this.#labels) {
      const json = labelsJson(labels);
      if (json !== this.#labelsJson) this.#lasting = undefined;
      this.#labelsJson = json;
    }
    this.#labels = labels;
    this.#here = this.#elsewhere = undefined;
  }

  #end(isSameSession: boolean): string {
    return `${JSON.stringify(this.#effect)},"outcome":"${this.#outcome}","same_session":${isSameSession}}`;
  }
}

function labelsJson(labels: readonly string[]): string {
  return labels.length === 0 ? '[]' : JSON.stringify(labels);
}

/** What one identity did lately: bounded, and shared by all its sessions. */
class Trail {
  readonly calls: TrackedCall[] = [];
  /** Calls in flight, however many: their labels count although an entry may have left `calls`. */
  readonly pending = new Set<TrackedCall>();
  /** When a settled call last earned a label. */
  readonly labelSeenMs = new Map<string, number>();
  readonly minutes = new Float64Array(60);
  readonly seconds = new Float64Array(60);
  readonly same = new Map<string, number[]>();
  lastMinute = 0;
  lastSecond = 0;
  lastUsedMs = 0;

  /** Moves the rings on to `nowMs`; slots that were passed over are emptied. */
  advance(nowMs: number): void {
    const minute = Math.floor(nowMs / 60_000);
    const second = Math.floor(nowMs / 1000);
    if (minute !== this.lastMinute) clearSlots(this.minutes, this.lastMinute, minute);
    if (second !== this.lastSecond) clearSlots(this.seconds, this.lastSecond, second);
    this.lastMinute = Math.max(minute, this.lastMinute);
    this.lastSecond = Math.max(second, this.lastSecond);
  }
}

function clearSlots(ring: Float64Array, from: number, to: number): void {
  if (to - from >= ring.length) ring.fill(0);
  else for (let slot = from + 1; slot <= to; slot++) ring[slot % ring.length] = 0;
}

/** The parts of the input that come from history, ready to be joined into its JSON. */
export interface HistoryView {
  /** The entries as the members of a JSON array, oldest first; made when asked for. */
  entriesJson(): string;
  /** Adds the same to `pieces`, behind `text`; gives the text that stands behind the last part. */
  entriesInto(pieces: (string | TextPart)[], text: string): string;
  readonly labels: readonly string[];
  readonly calls1m: number;
  readonly calls1h: number;
  readonly sameCall1m: number;
}

export interface HistoryOptions {
  readonly maxEntries: number;
  /** How long an entry and a label stay. */
  readonly windowMs: number;
  /** Identities kept; the least recently used goes first, but only once its window has passed. */
  readonly maxIdentities: number;
}

/** How many identical calls are counted one by one within a minute; more than this only says "at least". */
const maxSameCalls = 256;

/**
 * The calls of each identity, newest last, those in flight included: two parallel calls cannot each pretend to be the first.
 * It belongs to the identity and not to a session: ending a session does not wash a label off.
 */
export class History {
  readonly #trails = new Map<string, Trail>();
  readonly #options: HistoryOptions;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** Adds a call in flight and gives what is known about the identity, without that call. */
  begin(key: string, call: TrackedCall): HistoryView {
    const trail = this.#trail(key, call.atMs);
    const view = this.#view(trail, call.atMs, call.sessionId, call.sameKey);
    trail.pending.add(call);
    this.#add(trail, call);
    return view;
  }

  /** What is known about the identity, adding nothing. */
  look(key: string, nowMs: number, sessionId: string): HistoryView {
    return this.#view(this.#trail(key, nowMs), nowMs, sessionId, '');
  }

  /** Adds the labels that policy gave a call when it was decided, before it is sent: a call beside it must see them. */
  carry(call: TrackedCall, labels: readonly string[]): void {
    call.carry(labels);
  }

  /** Settles a call: labels it earned stay with the identity; a call that never left leaves no label behind. */
  settle(key: string, call: TrackedCall, effect: string, outcome: HistoryEntry['outcome'], labels: readonly string[], nowMs: number): void {
    const trail = this.#trail(key, nowMs);
    trail.pending.delete(call);
    call.settle(effect, outcome, labels);
    for (const label of labels) trail.labelSeenMs.set(label, nowMs);
  }

  /** Puts a call that ended before this process started back in its place (read from the audit log at start, oldest first). */
  restore(key: string, call: TrackedCall, effect: string, outcome: HistoryEntry['outcome']): void {
    const trail = this.#trail(key, call.atMs);
    call.settle(effect, outcome, call.labels);
    this.#add(trail, call);
    for (const label of call.labels) trail.labelSeenMs.set(label, Math.max(call.atMs, trail.labelSeenMs.get(label) ?? 0));
  }

  /** Appends a call, bounded, and counts it. */
  #add(trail: Trail, call: TrackedCall): void {
    trail.calls.push(call);
    if (trail.calls.length > this.#options.maxEntries) trail.calls.shift();
    trail.minutes[trail.lastMinute % 60] = (trail.minutes[trail.lastMinute % 60] ?? 0) + 1;
    trail.seconds[trail.lastSecond % 60] = (trail.seconds[trail.lastSecond % 60] ?? 0) + 1;
    this.#countSame(trail, call);
  }

  #countSame(trail: Trail, call: TrackedCall): void {
    const times = trail.same.get(call.sameKey) ?? [];
    times.push(call.atMs);
    if (times.length > maxSameCalls) times.shift();
    trail.same.delete(call.sameKey);
    trail.same.set(call.sameKey, times);
    if (trail.same.size > this.#options.maxEntries * 4) {
      const oldest = trail.same.keys().next().value;
      if (oldest !== undefined) trail.same.delete(oldest);
    }
  }

  #trail(key: string, nowMs: number): Trail {
    let trail = this.#trails.get(key);
    if (trail === undefined) {
      trail = new Trail();
      this.#trails.set(key, trail);
      this.#evict(nowMs);
    }
    trail.lastUsedMs = nowMs;
    trail.advance(nowMs);
    return trail;
  }

  #evict(nowMs: number): void {
    if (this.#trails.size <= this.#options.maxIdentities) return;
    for (const [key, trail] of this.#trails) {
      if (nowMs - trail.lastUsedMs > this.#options.windowMs) this.#trails.delete(key);
    }
  }

  #view(trail: Trail, nowMs: number, sessionId: string, sameKey: string): HistoryView {
    const since = nowMs - this.#options.windowMs;
    // Joined when asked for: most releases read the labels only, and a call that settles meanwhile is told as it is then.
    const calls = seenOf(trail.calls, since);
    const entriesInto = (pieces: (string | TextPart)[], text: string): string => {
      let behind = text;
      let mark = '';
      for (const call of calls) {
        pieces.push(behind + mark, call.lasting());
        behind = call.rest(sessionId);
        mark = ',';
      }
      return behind;
    };
    const entriesJson = (): string => calls.map((call) => call.lasting().text + call.rest(sessionId)).join(',');
    const seen = new Set<string>();
    for (const [label, seenMs] of trail.labelSeenMs) {
      if (seenMs >= since) seen.add(label);
      else trail.labelSeenMs.delete(label);
    }
    let before: readonly string[] | undefined;
    for (const { labels } of trail.pending) {
      // Calls of one tool share the list of its labels.
      if (labels !== before) for (const label of labels) seen.add(label);
      before = labels;
    }
    const labels = seen.size === 0 ? none : [...seen].sort();
    const times = sameKey === '' ? undefined : trail.same.get(sameKey);
    let sameCall1m = 0;
    if (times !== undefined) for (let at = times.length - 1; at >= 0 && (times[at] ?? 0) > nowMs - 60_000; at--) sameCall1m++;
    return { entriesJson, entriesInto, labels, calls1m: sum(trail.seconds), calls1h: sum(trail.minutes), sameCall1m };
  }
}

const none: readonly string[] = [];

/** Those of an identity's calls that are within the window or in flight; a list of its own, since calls come and go. */
function seenOf(calls: readonly TrackedCall[], since: number): readonly TrackedCall[] {
  for (const call of calls) if (call.atMs < since) return calls.filter((one) => one.atMs >= since || one.pending);
  return calls.slice();
}

function sum(ring: Float64Array): number {
  let total = 0;
  for (let slot = 0; slot < ring.length; slot++) total += ring[slot] as number;
  return total;
}
