import assert from 'node:assert/strict';
import { after } from 'node:test';
import type { Decision } from '../../src/model/decision.ts';
import type { Digest, ReleaseId } from '../../src/model/ids.ts';
import type { GatewayError } from '../../src/model/errors.ts';
import type { JsonObject } from '../../src/model/json.ts';
import { newId } from '../../src/model/ids.ts';
import { Permit, type Outgoing } from '../../src/model/permit.ts';
import { scanDefinition } from '../../src/content/definition-scan.ts';
import { createUpstreams } from '../../src/upstream/upstreams.ts';
import type {
  PinBook,
  RequestOptions,
  SessionOwner,
  StrayMessage,
  UpstreamLogEntry,
  UpstreamMessage,
  UpstreamOptions,
  UpstreamReply,
  Upstreams,
  UpstreamTiming,
} from '../../src/upstream/types.ts';

const allowed: Decision = {
  effect: 'allow',
  reasons: [],
  redactions: [],
  labels: [],
  limits: [],
  dryRun: [],
  release: 'test' as ReleaseId,
  inputDigest: 'sha256:0' as Digest,
  tookMs: 0,
};

/** A permit as `act` would mint it. */
export function permit(upstream: string, message: Outgoing): Permit {
  return Permit.mint(upstream, message, allowed, newId('call'));
}

export function options(name: string, url: string, more: Partial<UpstreamOptions> = {}): UpstreamOptions {
  return {
    name,
    transport: { kind: 'http', url },
    credential: { kind: 'none' },
    timeoutMs: 5_000,
    maxResponseBytes: 1_000_000,
    tools: {},
    pinning: 'first_seen',
    ...more,
  };
}

/** Pins in a map: the store's table has its own tests. */
export function pinBook(): PinBook & { readonly pins: Map<string, Digest> } {
  const pins = new Map<string, Digest>();
  return {
    pins,
    get: (upstream, tool) => pins.get(`${upstream}/${tool}`),
    put: (upstream, tool, digest) => void pins.set(`${upstream}/${tool}`, digest),
  };
}

export interface Rig {
  readonly upstreams: Upstreams;
  readonly log: UpstreamLogEntry[];
  /** What nobody took. */
  readonly strays: StrayMessage[];
  owner(id: string, more?: Partial<SessionOwner>): SessionOwner & { readonly heard: UpstreamMessage[] };
  call(upstream: string, owner: SessionOwner, method: string, params?: JsonObject, more?: Partial<RequestOptions>): Promise<UpstreamReply>;
}

const quick: Partial<UpstreamTiming> = { retryMinMs: 20, retryMaxMs: 200, debounceMs: 10, killGraceMs: 400, drainMs: 2_000 };

const rigs = new Set<Upstreams>();
// A test that failed before it closed its upstreams leaves neither a child nor a socket behind.
after(async () => {
  await Promise.all([...rigs].map((each) => each.close()));
});

export async function rig(all: readonly UpstreamOptions[], pins: PinBook = pinBook(), timing: Partial<UpstreamTiming> = {}): Promise<Rig> {
  const log: UpstreamLogEntry[] = [];
  const strays: StrayMessage[] = [];
  const upstreams = createUpstreams(all, {
    pins,
    log: (entry) => log.push(entry),
    clientInfo: { name: 'castellan', version: 'test' },
    scan: scanDefinition,
    stray: (message) => void strays.push(message),
    timing: { ...quick, ...timing },
  });
  rigs.add(upstreams);
  await upstreams.settled();
  return {
    upstreams,
    log,
    strays,
    owner: (id, more = {}) => {
      const heard: UpstreamMessage[] = [];
      return {
        id,
        heard,
        protocolVersion: '2025-11-25',
        clientInfo: { name: 'agent', version: '1' },
        capabilities: {},
        onMessage: (message) => void heard.push(message),
        ...more,
      };
    },
    call: (upstream, owner, method, params, more = {}) =>
      upstreams
        .session(upstream, owner)
        .request(permit(upstream, { kind: 'request', method, params }), { timeoutMs: 5_000, onMessage: () => undefined, ...more }),
  };
}

/** The text of a tool result's first content. */
export function textOf(reply: UpstreamReply): string {
  if (reply.kind !== 'result') throw new Error(`an error came back: ${JSON.stringify(reply.error)}`);
  return (reply.result['content'] as unknown as { text: string }[])[0]!.text;
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  const endMs = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A check of a fault: its code, whether the call may have run, and that its words give nothing of the upstream away. */
export const coded = (code: string, mayHaveRun?: boolean) => (error: GatewayError) => {
  assert.equal(error.code, code, `${error.message}: ${String(error.cause)}`);
  assert.equal(error.detail?.['may_have_run'], mayHaveRun);
  assert.doesNotMatch(error.message, /http:|127\.0|Secret|stack/);
  return true;
};
