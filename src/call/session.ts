import { createHash } from 'node:crypto';
import type { Cancellation } from '../model/cancellation.ts';
import type { Identity } from '../model/identity.ts';
import { identityKey } from '../model/identity.ts';
import type { SessionId } from '../model/ids.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { SessionOwner, UpstreamMessage } from '../upstream/types.ts';
import { AgentTasks } from './agent-tasks.ts';
import type { AgentChannel } from './call.ts';
import { sessionVersions } from './methods.ts';
import { modernVersion, type LogLevel } from './modern-meta.ts';
import type { RpcId, RpcResponse } from './rpc.ts';

/** A call that an agent waits for; cancelled by `notifications/cancelled` or by the session's end. */
export interface Inflight {
  readonly abort: Cancellation;
}

/** A request that an upstream made and the agent has not answered yet. */
export interface PendingQuestion {
  readonly method: string;
  readonly upstream: string;
  /** What the upstream's request is called toward the upstream room; unique on one connection. */
  readonly reference: string;
  /** Under which the upstream wants to hear how far the agent is. */
  readonly progressToken: Json | undefined;
  answer(response: RpcResponse): void;
  /** The upstream no longer waits for an answer. */
  withdraw(): void;
}

/** Takes an upstream's messages one after the other. */
export interface Lane {
  take(message: UpstreamMessage): void;
}

export interface SessionOptions {
  readonly id: SessionId;
  readonly endpoint: string;
  readonly identity: Identity;
  readonly protocolVersion: string;
  readonly clientInfo: JsonObject;
  readonly capabilities: JsonObject;
  readonly startedAtMs: number;
}

/**
 * One agent's session on one endpoint. It belongs to an identity (issuer, subject, client), not to a token: a refresh keeps it. Requests that
 * come without a session share one that the agent does not know of, so that upstreams with sessions need not open one for each.
 */
export class Session {
  readonly id: SessionId;
  /** What policy and records see instead of the id, which is a secret of the agent's. */
  readonly publicId: string;
  readonly endpoint: string;
  readonly identityKey: string;
  /** As of its latest message: a refreshed token may carry other groups. */
  identity: Identity;
  readonly protocolVersion: string;
  readonly clientInfo: JsonObject;
  readonly capabilities: JsonObject;
  readonly startedAt: string;
  /** By the agent's id; by a symbol where ids are not the session's but of one connection each. */
  readonly inflight = new Map<RpcId | symbol, Inflight>();
  readonly questions = new Map<RpcId, PendingQuestion>();
  readonly #owners = new Map<string, SessionOwner>();
  readonly #lanes = new Map<string, Lane>();
  /** Tasks that the agent made of what upstreams asked. */
  readonly tasks = new AgentTasks();
  /** How talkative each upstream was asked to be, where requests ask for that one by one. */
  readonly logLevels = new Map<string, LogLevel>();
  calls = 0;
  denied = 0;
  lastUsedMs: number;
  closed = false;
  #nextQuestion = 1;
  /** Called once when the session ends, before its streams do. */
  readonly atEnd = new Set<() => void>();
  /** The stream that carries what belongs to no call; set by the transport while one is open. */
  standalone: AgentChannel | undefined;

  constructor(options: SessionOptions) {
    this.id = options.id;
    this.publicId = createHash('sha256').update(options.id).digest('hex').slice(0, 16);
    this.endpoint = options.endpoint;
    this.identityKey = identityKey(options.identity);
    this.identity = options.identity;
    this.protocolVersion = options.protocolVersion;
    this.clientInfo = options.clientInfo;
    this.capabilities = options.capabilities;
    this.startedAt = new Date(options.startedAtMs).toISOString();
    this.lastUsedMs = options.startedAtMs;
  }

  /** Whether its requests stand for themselves, as in 2026-07-28. */
  get isStateless(): boolean {
    return this.protocolVersion === modernVersion;
  }

  /** How an upstream gets to know this session; made at the first use of that upstream. */
  owner(upstream: string, onMessage: (message: UpstreamMessage) => void): SessionOwner {
    let owner = this.#owners.get(upstream);
    if (owner === undefined) {
      const { publicId: id, clientInfo } = this;
      const { tasks, ...rest } = this.capabilities;
      // A list of the agent's tasks is not offered: it would show an upstream what others asked.
      const capabilities = isJsonObject(tasks) ? { ...rest, tasks: { ...tasks, list: undefined } } : rest;
      // Upstreams are spoken to in the form of sessions; a channel of the other era translates.
      const protocolVersion = this.isStateless ? sessionVersions[0] : this.protocolVersion;
      owner = { id, protocolVersion, clientInfo, capabilities, receives: this.standalone !== undefined, onMessage };
      this.#owners.set(upstream, owner);
    }
    return owner;
  }

  /** The lane of what an upstream sends outside of any call; made at the first message. */
  lane(name: string, make: () => Lane): Lane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = make();
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  /** Names of the upstreams that this session has used: one that it never used has nothing to tell it. */
  used(): readonly string[] {
    return [...this.#owners.keys()];
  }

  /** A fresh id for a request of an upstream toward the agent: upstream ids never reach an agent, so two upstreams cannot collide. */
  questionId(): RpcId {
    return `q${this.#nextQuestion++}`;
  }

  /** The upstream whose open request asked for progress under this token. */
  questionOf(progressToken: Json | undefined): string | undefined {
    if (progressToken === undefined) return undefined;
    for (const question of this.questions.values()) if (question.progressToken === progressToken) return question.upstream;
    return undefined;
  }

  /** Ends the session here: calls in flight are cancelled, open questions dropped. Its upstream sessions are closed by who opened them. */
  end(): void {
    this.closed = true;
    for (const tell of [...this.atEnd]) tell();
    for (const call of this.inflight.values()) call.abort.abort();
    this.questions.clear();
  }
}
