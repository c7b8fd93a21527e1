import type { Arrival, Call } from '../../src/call/call.ts';
import { callOf } from '../../src/call/resolve.ts';
import { Session } from '../../src/call/session.ts';
import type { Decision } from '../../src/model/decision.ts';
import type { Identity } from '../../src/model/identity.ts';
import { newId, type Digest, type ReleaseId, type TenantId } from '../../src/model/ids.ts';
import type { ToolFacts } from '../../src/model/input.ts';
import { buildEndpoint } from '../../src/upstream/endpoint.ts';
import type { Catalogue } from '../../src/upstream/catalogue.ts';

export const startMs = 1_700_000_000_000;

export const alice: Identity = {
  issuer: 'https://idp.example',
  subject: 'alice "the first"',
  client: 'agent',
  kind: 'user',
  tenant: 'default' as TenantId,
  groups: ['engineering'],
  scopes: ['mcp:tools'],
  claims: { team: { name: 'żółć \u2028' } },
  auth: { method: 'oidc', issuedAtMs: startMs - 40_000, expiresAtMs: startMs + 3_600_000 },
  onBehalfOf: null,
};

export const facts: ToolFacts = {
  server: 'files',
  name: 'read',
  exposed_name: 'read',
  title: 'Read "it"',
  annotations: { readOnlyHint: true },
  labels: ['private'],
  definition_digest: `sha256:${'0'.repeat(64)}`,
  pinned: true,
};

export const arrival: Arrival = { receivedAtMs: startMs, ip: '127.0.0.1', userAgent: 'test/1 "x"', traceId: undefined, bytes: 100 };

export function session(identity: Identity = alice): Session {
  const id = newId('session');
  return new Session({
    id,
    endpoint: 'main',
    identity,
    protocolVersion: '2025-11-25',
    clientInfo: {},
    capabilities: {},
    startedAtMs: startMs,
  });
}

const nothing: Catalogue = { revision: 1, upstreams: new Map() };

/** A call of alice's to `files/read`, unless `changes` say something else. */
export function callTo(changes: Partial<Parameters<typeof callOf>[0]> = {}): Call {
  const endpoint = buildEndpoint(nothing, { name: 'main', upstreams: [], rename: [], variants: [] });
  return callOf({
    session: session(),
    identity: alice,
    arrival,
    snapshot: { release: undefined, endpoint },
    phase: 'call',
    method: 'tools/call',
    target: { kind: 'tool', server: 'files', name: 'read' },
    subject: { path: 'a "b"\u2028\ud800', list: [1, null] },
    tool: facts,
    ...changes,
  });
}

export function decisionOf(changes: Partial<Decision> = {}): Decision {
  return {
    effect: 'deny',
    reasons: [{ rule: 'a/b', effect: 'deny', message: 'not this way', hint: 'take the other' }],
    redactions: [],
    labels: [],
    limits: [],
    dryRun: [],
    release: 'local@0' as ReleaseId,
    inputDigest: 'sha256:0' as Digest,
    tookMs: 1,
    ...changes,
  };
}
