import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session } from '../../src/call/session.ts';
import { SessionBook, type LiveSession, type SessionLimits } from '../../src/http/session-book.ts';
import { Cancellation } from '../../src/model/cancellation.ts';
import type { Identity } from '../../src/model/identity.ts';
import type { TenantId } from '../../src/model/ids.ts';
import type { JsonObject } from '../../src/model/json.ts';

const identity = (more: Partial<Identity> = {}): Identity => ({
  issuer: 'https://idp.example',
  subject: 'alice',
  client: 'agent',
  kind: 'user',
  tenant: 'default' as TenantId,
  groups: [],
  scopes: [],
  claims: {},
  auth: { method: 'oidc', issuedAtMs: 0, expiresAtMs: 0 },
  onBehalfOf: null,
  ...more,
});

const limits: SessionLimits = { maxSessions: 20, maxPerIdentity: 3, idleMs: 1000, maxStreamBytes: 10_000 };

interface Asked {
  readonly who?: Identity;
  readonly endpoint?: string;
  readonly clientInfo?: JsonObject;
  readonly capabilities?: JsonObject;
  readonly atMs?: number;
}

function book(): { sessions: SessionBook; ended: Session[]; implicit: (asked?: Asked) => LiveSession } {
  const ended: Session[] = [];
  const sessions = new SessionBook(
    () => limits,
    (session) => void ended.push(session),
  );
  const implicit = ({
    who = identity(),
    endpoint = 'main',
    clientInfo = {},
    capabilities = {},
    atMs = Date.now(),
  }: Asked = {}): LiveSession =>
    sessions.implicit({ endpoint, identity: who, protocolVersion: '2026-07-28', clientInfo, capabilities, startedAtMs: atMs });
  return { sessions, ended, implicit };
}

test('requests of one client of one identity at one endpoint share a session; no others do', () => {
  const { implicit } = book();
  const own = implicit();
  assert.equal(implicit(), own);
  const refreshed = identity({ groups: ['now in another group'] });
  assert.equal(implicit({ who: refreshed }), own);
  assert.equal(own.session.identity, refreshed, 'as of its latest request');
  const others: Asked[] = [
    { who: identity({ subject: 'bob' }) },
    { who: identity({ client: 'other' }) },
    { who: identity({ issuer: 'https://idp2.example' }) },
    { who: identity({ tenant: 'x' as TenantId }) },
    { endpoint: 'other' },
    { capabilities: { sampling: {} } },
  ];
  const found = others.map((other) => implicit(other));
  assert.equal(new Set([own, ...found]).size, others.length + 1);
});

test('it cannot be named by a session id, not even by its own', () => {
  const { sessions, implicit } = book();
  const { session } = implicit();
  assert.throws(() => sessions.find(session.id, identity(), 'main', Date.now()), { code: 'session.unknown' });
});

test('it ends when it is idle, and the next request makes another', () => {
  const { sessions, ended, implicit } = book();
  const nowMs = Date.now();
  const first = implicit({ atMs: nowMs });
  sessions.sweep(nowMs + 500);
  assert.equal(implicit({ atMs: nowMs + 900 }), first);
  sessions.sweep(nowMs + 3000);
  assert.deepEqual(ended, [first.session]);
  assert.notEqual(implicit({ atMs: nowMs + 3001 }), first);
  const idle = implicit({ endpoint: 'b', atMs: nowMs });
  assert.notEqual(implicit({ endpoint: 'b', atMs: nowMs + 5000 }), idle, 'also before it was swept');
});

test('one identity holds a few; another one ends the idlest, but none with a call in flight', () => {
  const { sessions, ended, implicit } = book();
  const nowMs = Date.now();
  const busy = implicit({ clientInfo: { name: 'a' }, atMs: nowMs });
  busy.session.inflight.set(Symbol('call'), { abort: new Cancellation() });
  const idle = implicit({ clientInfo: { name: 'b' }, atMs: nowMs + 1 });
  implicit({ clientInfo: { name: 'c' }, atMs: nowMs + 2 });
  implicit({ clientInfo: { name: 'd' }, atMs: nowMs + 3 });
  assert.deepEqual(ended, [idle.session]);
  assert.equal(sessions.size, 3);
  for (const live of sessions.all()) live.session.inflight.set(Symbol('call'), { abort: new Cancellation() });
  assert.throws(() => implicit({ clientInfo: { name: 'e' } }), { code: 'session.limit' });
});

test('its end cancels what is in flight and tells who listens, before its streams end', () => {
  const { sessions, implicit } = book();
  const live = implicit();
  const abort = new Cancellation();
  live.session.inflight.set(Symbol('call'), { abort });
  const told: boolean[] = [];
  live.session.atEnd.add(() => void told.push(live.session.closed));
  sessions.end(live, Date.now());
  assert.deepEqual([abort.aborted, told], [true, [true]]);
});
