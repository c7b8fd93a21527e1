import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session } from '../../src/call/session.ts';
import { SessionBook, type LiveSession, type SessionLimits } from '../../src/http/session-book.ts';
import { Cancellation } from '../../src/model/cancellation.ts';
import type { Identity } from '../../src/model/identity.ts';
import type { TenantId } from '../../src/model/ids.ts';

const identity = (subject = 'alice', client = 'agent', more: Partial<Identity> = {}): Identity => ({
  issuer: 'https://idp.example',
  subject,
  client,
  kind: 'user',
  tenant: 'default' as TenantId,
  groups: [],
  scopes: [],
  claims: {},
  auth: { method: 'oidc', issuedAtMs: 0, expiresAtMs: 0 },
  onBehalfOf: null,
  ...more,
});

const defaults: SessionLimits = { maxSessions: 10, maxPerIdentity: 3, idleMs: 1000, maxStreamBytes: 10_000 };

function book(limits: Partial<SessionLimits> = {}): {
  sessions: SessionBook;
  ended: Session[];
  open: (who?: Identity, atMs?: number, version?: string) => LiveSession;
} {
  const ended: Session[] = [];
  const sessions = new SessionBook(
    () => ({ ...defaults, ...limits }),
    (session) => void ended.push(session),
  );
  const open = (who = identity(), atMs = Date.now(), protocolVersion = '2025-11-25'): LiveSession => {
    const live = sessions.make({ endpoint: 'main', identity: who, protocolVersion, clientInfo: {}, capabilities: {}, startedAtMs: atMs });
    sessions.keep(live);
    return live;
  };
  return { sessions, ended, open };
}

const unknown = { code: 'session.unknown' };

test('a session is found by its own identity at its own endpoint, and by no other', () => {
  const { sessions, open } = book();
  const live = open();
  const nowMs = Date.now();
  const id = live.session.id as string;
  assert.equal(sessions.find(id, identity(), 'main', nowMs), live);
  const others = [
    identity('bob'),
    identity('alice', 'other'),
    identity('alice', 'agent', { issuer: 'https://idp2.example' }),
    identity('alice', 'agent', { tenant: 'x' as TenantId }),
  ];
  for (const other of others) assert.throws(() => sessions.find(id, other, 'main', nowMs), unknown);
  assert.throws(() => sessions.find(id, identity(), 'other', nowMs), unknown);
  assert.throws(() => sessions.find(id.toLowerCase() === id ? id.toUpperCase() : id.toLowerCase(), identity(), 'main', nowMs), unknown);
  for (const none of [undefined, '']) assert.throws(() => sessions.find(none, identity(), 'main', nowMs), { code: 'session.required' });
  for (const guess of ['__proto__', 'constructor', `${id} `, `${id},${id}`])
    assert.throws(() => sessions.find(guess, identity(), 'main', nowMs), unknown);
});

test('a refreshed token keeps the session and brings its own groups', () => {
  const { sessions, open } = book();
  const live = open();
  const refreshed = identity('alice', 'agent', { groups: ['new'] });
  sessions.find(live.session.id, refreshed, 'main', Date.now());
  assert.deepEqual(live.session.identity.groups, ['new']);
});

test('a session that policy did not allow is not in the book', () => {
  const { sessions } = book();
  const made = sessions.make({
    endpoint: 'main',
    identity: identity(),
    protocolVersion: '2025-11-25',
    clientInfo: {},
    capabilities: {},
    startedAtMs: 0,
  });
  assert.throws(() => sessions.find(made.session.id, identity(), 'main', 0), unknown);
});

test('an identity has so many sessions and the whole so many; the idle one makes room, a busy or young one does not', () => {
  const { sessions, ended, open } = book();
  const nowMs = Date.now();
  const old = open(identity(), nowMs - 120_000);
  const older = open(identity(), nowMs - 180_000);
  older.session.inflight.set(1, { abort: new Cancellation() });
  open();
  open();
  assert.deepEqual(ended, [old.session], 'the older one has a call in flight');
  assert.throws(() => open(), { code: 'session.limit' });
  assert.equal(sessions.size, 3);
  for (let at = 0; at < 7; at++) open(identity(`user-${String(at)}`));
  assert.throws(() => open(identity('one too many')), { code: 'session.limit' });
  sessions.end(older, nowMs);
  open(identity('one too many'));
  assert.equal(sessions.size, 10);
});

test('an idle session ends when it is asked for or swept; one with a call or a reader stays', () => {
  const { sessions, ended, open } = book();
  const [idle, busy, reads, fresh] = [open(identity('a'), 0), open(identity('b'), 0), open(identity('c'), 0), open(identity('d'), 900)];
  busy.session.inflight.set(1, { abort: new Cancellation() });
  const stream = sessions.stream(reads, true);
  Object.defineProperty(stream, 'attached', { value: true });
  assert.throws(() => sessions.find(idle.session.id, identity('a'), 'main', 1001), unknown);
  sessions.sweep(1001);
  assert.deepEqual(ended, [idle.session]);
  assert.equal(sessions.find(fresh.session.id, identity('d'), 'main', 1800), fresh);
  sessions.sweep(2500);
  assert.deepEqual([...sessions.all()], [busy, reads, fresh]);
  sessions.sweep(2900);
  assert.deepEqual(ended, [idle.session, fresh.session]);
});

test('ending a session aborts its calls, ends its streams and tells once', () => {
  const { sessions, ended, open } = book();
  const live = open();
  const abort = new Cancellation();
  live.session.inflight.set(0, { abort });
  const stream = sessions.stream(live, false);
  sessions.end(live, 7);
  sessions.end(live, 8);
  assert.deepEqual([abort.aborted, stream.ended, stream.endedAtMs, ended.length, live.session.closed], [true, true, 7, 1, true]);
  assert.throws(() => sessions.find(live.session.id, identity(), 'main', 9), unknown);
});

test('ended streams are kept for a minute, and make room earlier when a session keeps too much', () => {
  const { sessions, open } = book({ maxStreamBytes: 2000, idleMs: 1e9 });
  const live = open(identity(), 0, '2025-06-18');
  const first = sessions.stream(live, false);
  first.finish('x'.repeat(900), 0);
  sessions.sweep(60_000);
  assert.ok(live.streams.has(first.id));
  sessions.sweep(60_001);
  assert.ok(!live.streams.has(first.id));
  const ended = Array.from({ length: 5 }, () => {
    const stream = sessions.stream(live, false);
    stream.finish('x'.repeat(900), 70_000);
    return stream;
  });
  const next = sessions.stream(live, false);
  assert.deepEqual(
    [...live.streams.keys()],
    [...ended.slice(-2), next].map(({ id }) => id),
  );
});

test('an announcement reaches those who listen at the endpoints that are meant', () => {
  const { sessions, open } = book();
  const told: unknown[] = [];
  const live = open();
  sessions.announce(['tools'], () => true);
  live.session.standalone = { send: (message) => told.push(message) > 0 };
  sessions.announce(['tools', 'prompts'], (endpoint) => endpoint === 'main');
  sessions.announce(['resources'], (endpoint) => endpoint === 'other');
  assert.deepEqual(
    told,
    ['tools', 'prompts'].map((kind) => ({ jsonrpc: '2.0', method: `notifications/${kind}/list_changed` })),
  );
});
