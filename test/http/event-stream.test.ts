import assert from 'node:assert/strict';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { EventStream, parseEventId, type EventStreamOptions } from '../../src/http/event-stream.ts';

let server: Server;
const waiting: ((response: ServerResponse) => void)[] = [];

before(async () => {
  server = createServer((_request, response) => waiting.shift()?.(response));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
});
after(() => {
  server.closeAllConnections();
  server.close();
});

/** A real connection: what the server writes to, and what the reader got so far. */
async function connection(): Promise<{
  response: ServerResponse;
  incoming: () => IncomingMessage;
  text: () => string;
  closed: Promise<void>;
  cut: () => void;
}> {
  const response = new Promise<ServerResponse>((resolve) => waiting.push(resolve));
  const outgoing = request({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, agent: false });
  let text = '';
  let incoming: IncomingMessage | undefined;
  const closed = new Promise<void>((resolve) => {
    outgoing.on('close', resolve);
    outgoing.on('error', () => resolve());
  });
  outgoing.on('response', (message) => {
    incoming = message;
    message.on('data', (chunk: Buffer) => (text += chunk.toString()));
    message.on('error', () => undefined);
  });
  outgoing.end();
  const gotten = await response;
  return {
    response: gotten,
    incoming: () => {
      assert.ok(incoming !== undefined);
      return incoming;
    },
    text: () => text,
    closed,
    cut: () => outgoing.destroy(),
  };
}

const soon = (ms = 30): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const made = (options: Partial<EventStreamOptions> = {}): EventStream =>
  new EventStream({ id: 's1', maxKeptBytes: 10_000, primed: false, standalone: false, ...options });
const note = (at: number): { jsonrpc: string; method: string; params: { at: number } } => ({ jsonrpc: '2.0', method: 'm', params: { at } });
const numbers = (text: string): number[] => [...text.matchAll(/"at":(\d+)/g)].map((match) => Number(match[1]));

test('each message is one numbered event on one data line, whatever is in it', async () => {
  const stream = made();
  const reader = await connection();
  stream.attach(reader.response, { 'x-own': 'yes' });
  stream.send({ jsonrpc: '2.0', method: 'a', params: { text: 'x\r\n\r\nevent: fake\ndata: {}\u2028' } });
  stream.finish('{"jsonrpc":"2.0","id":0,"result":{}}', 5);
  await reader.closed;
  assert.equal(
    reader.text(),
    'event: message\nid: s1_0\ndata: {"jsonrpc":"2.0","method":"a","params":{"text":"x\\r\\n\\r\\nevent: fake\\ndata: {}\u2028"}}\n\n' +
      'event: message\nid: s1_1\ndata: {"jsonrpc":"2.0","id":0,"result":{}}\n\n',
  );
  const { headers } = reader.incoming();
  assert.deepEqual(
    [headers['content-type'], headers['cache-control'], headers['x-accel-buffering'], headers['x-own']],
    ['text/event-stream', 'no-cache, no-transform', 'no', 'yes'],
  );
  assert.deepEqual([stream.ended, stream.endedAtMs, stream.send(note(1))], [true, 5, false]);
});

test('a primed stream begins with an empty event that can be resumed from', async () => {
  const stream = made({ primed: true });
  const reader = await connection();
  stream.attach(reader.response, {});
  await soon();
  assert.equal(reader.text(), 'id: s1_0\nretry: 1000\ndata: \n\n');
  stream.end(1);
});

test('a reader that comes back gets what it missed, once and in order', async () => {
  const stream = made();
  const first = await connection();
  stream.attach(first.response, {});
  for (let at = 0; at < 3; at++) stream.send(note(at));
  await soon();
  first.cut();
  await soon();
  assert.equal(stream.attached, false);
  for (let at = 3; at < 6; at++) assert.equal(stream.send(note(at)), true);
  const second = await connection();
  stream.attach(second.response, {}, 2);
  stream.send(note(6));
  stream.end(1);
  await second.closed;
  assert.deepEqual(
    [numbers(first.text()), numbers(second.text())],
    [
      [0, 1, 2],
      [3, 4, 5, 6],
    ],
  );
  const third = await connection();
  stream.attach(third.response, {}, 4);
  await third.closed;
  assert.deepEqual(numbers(third.text()), [5, 6], 'also after its end');
});

test('a second connection takes the stream over and the first one ends', async () => {
  const stream = made();
  const [first, second] = [await connection(), await connection()];
  stream.attach(first.response, {});
  stream.attach(second.response, {}, 0);
  await first.closed;
  assert.equal(stream.attached, true);
  stream.end(1);
  await second.closed;
});

test('what is kept is bounded; an event beyond it cannot be resumed from, so that no gap goes unseen', () => {
  const stream = made({ maxKeptBytes: 300 });
  for (let at = 0; at < 10; at++) stream.send(note(at));
  assert.ok(stream.keptBytes <= 300);
  assert.deepEqual(
    [0, 5, 7, 8, 9, 10, 11].map((number) => stream.canResume(number)),
    [false, false, true, true, true, false, false],
  );
  stream.finish(JSON.stringify({ text: 'x'.repeat(1000) }), 1);
  assert.equal(stream.canResume(9), true, 'the latest is kept, however large');
});

test('a stream that belongs to no call takes no question while nobody reads; a notification waits', () => {
  const stream = made({ standalone: true });
  assert.equal(stream.send({ jsonrpc: '2.0', id: 1, method: 'roots/list' }), false);
  assert.equal(stream.send(note(1)), true);
});

test('one large message passes a fast reader; what piles up before a slow one ends the connection and not the stream', async () => {
  const stream = made({ maxKeptBytes: 50_000_000 });
  const fast = await connection();
  stream.attach(fast.response, {});
  stream.send({ jsonrpc: '2.0', method: 'm', params: { at: 1, text: 'x'.repeat(5_000_000) } });
  await soon(300);
  assert.equal(fast.text().length > 5_000_000, true);
  assert.ok(!fast.response.destroyed);
  const slow = await connection();
  stream.attach(slow.response, {}, 0);
  await soon();
  slow.incoming().pause();
  for (let at = 0; at < 40 && stream.attached; at++) {
    stream.send({ jsonrpc: '2.0', method: 'm', params: { text: 'x'.repeat(500_000) } });
    await soon(2);
  }
  assert.equal(stream.attached, false);
  assert.equal(stream.send(note(2)), true);
  assert.equal(stream.ended, false);
});

test('keep-alive comments go to a reader, and are no events', async () => {
  const stream = made();
  stream.keepAlive();
  const reader = await connection();
  stream.attach(reader.response, {});
  stream.keepAlive();
  stream.end(1);
  await reader.closed;
  assert.equal(reader.text(), ': keep-alive\n\n');
  assert.equal(stream.canResume(0), false);
});

test('event ids are read back, and nothing else is taken for one', () => {
  assert.deepEqual(parseEventId('s12_34'), { stream: 's12', number: 34 });
  for (const text of [
    '',
    's1',
    's1_',
    '_1',
    's1_-1',
    's1_1e3',
    's 1_1',
    's1_1 ',
    `${'s'.repeat(65)}_1`,
    `s1_${'9'.repeat(16)}`,
    '__proto___1',
    's1_1\n',
  ])
    assert.equal(parseEventId(text), undefined, text);
});
