import { randomBytes } from 'node:crypto';
import type { Digest } from '../model/ids.ts';
import type { Target, ToolFacts } from '../model/input.ts';
import type { JsonObject } from '../model/json.ts';
import type { Asked } from './question.ts';

/** A call that goes on at its upstream after it was answered, as its agent knows it. */
export interface Task {
  /** The gateway's own; the upstream's never reaches an agent. */
  readonly id: string;
  /** Whose it is: tenant, issuer, subject and client. */
  readonly identity: string;
  readonly endpoint: string;
  readonly upstream: string;
  readonly upstreamId: string;
  /** Which tasks its upstream has: those of sessions, or those of the extension. */
  readonly era: 'session' | 'stateless';
  /** What was called: the result is judged as that call's. */
  readonly origin: {
    /** Id of the recorded decision under which the task was begun. */
    readonly call: string;
    readonly target: Target;
    readonly tool: ToolFacts;
    readonly subject: JsonObject;
    readonly subjectDigest: Digest;
  };
  readonly expiresAtMs: number;
  /** As the agent last saw it. */
  seen: JsonObject;
  /** Questions that the upstream asked through the task, by which their answers are judged. */
  asked: Readonly<Record<string, Asked>>;
  /** Whether the labels that its result earned are in the identity's history. */
  labelled: boolean;
}

/** Tasks kept at most, in all and of one identity, and the bytes of the arguments that they were begun with. */
const maxTasks = 10_000;
const maxPerIdentity = 200;
const maxBytes = 64 * 1024 * 1024;
/** A task that its upstream keeps for longer is forgotten here all the same. */
const maxLifeMs = 24 * 3_600_000;

/**
 * The tasks that agents may ask about, in memory: bounded, and each for its time. A restart forgets them, as it ends the sessions in which
 * most upstreams keep theirs.
 */
export class TaskBook {
  readonly #tasks = new Map<string, Task & { readonly bytes: number }>();
  readonly #own = new Map<string, Set<string>>();
  readonly #now: () => number;
  #bytes = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes a task in. `ttlMs` is how long its upstream keeps it; `undefined` where it does not say. Where there is no room the oldest goes. */
  open(task: Omit<Task, 'id' | 'expiresAtMs' | 'asked' | 'labelled'>, ttlMs: number | undefined): Task {
    const bytes = JSON.stringify(task.origin.subject).length;
    const own = this.#own.get(task.identity) ?? new Set();
    const [oldestOwn] = own;
    if (own.size >= maxPerIdentity && oldestOwn !== undefined) this.#forget(oldestOwn);
    for (const id of this.#tasks.keys()) {
      if (this.#tasks.size < maxTasks && this.#bytes + bytes <= maxBytes) break;
      this.#forget(id);
    }
    const id = randomBytes(16).toString('base64url');
    const expiresAtMs = this.#now() + Math.min(Math.max(ttlMs ?? maxLifeMs, 0), maxLifeMs);
    const opened = { ...task, id, expiresAtMs, asked: {}, labelled: false, bytes };
    this.#tasks.set(id, opened);
    this.#own.set(task.identity, own.add(id));
    this.#bytes += bytes;
    return opened;
  }

  /** The task of this id, where it is this identity's at this endpoint; for anybody else, and after its time, there is none. */
  find(id: string, identity: string, endpoint: string): Task | undefined {
    const task = this.#tasks.get(id);
    if (task?.identity !== identity || task.endpoint !== endpoint) return undefined;
    if (task.expiresAtMs > this.#now()) return task;
    this.#forget(id);
    return undefined;
  }

  /** The task that an upstream calls so, where this identity has it. */
  known(upstream: string, upstreamId: unknown, identity: string, endpoint: string): Task | undefined {
    return this.own(identity, endpoint).findLast((task) => task.upstream === upstream && task.upstreamId === upstreamId);
  }

  /**
   * Forgets what an upstream called so before: it gave the name to another task, of this identity's other session perhaps, whose result
   * must not be judged as that of the older one.
   */
  replace(upstream: string, upstreamId: unknown, identity: string, endpoint: string): void {
    for (const task of this.own(identity, endpoint))
      if (task.upstream === upstream && task.upstreamId === upstreamId) this.#forget(task.id);
  }

  /** The tasks of one identity at one endpoint, oldest first. */
  own(identity: string, endpoint: string): Task[] {
    return [...(this.#own.get(identity) ?? [])].flatMap((id) => this.find(id, identity, endpoint) ?? []);
  }

  #forget(id: string): void {
    const task = this.#tasks.get(id);
    if (task === undefined) return;
    this.#tasks.delete(id);
    this.#bytes -= task.bytes;
    const own = this.#own.get(task.identity);
    own?.delete(id);
    if (own?.size === 0) this.#own.delete(task.identity);
  }
}
