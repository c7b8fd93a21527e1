import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { RawAgent } from '../../support/gateway.ts';
import { assertServes, echoCall, rawExchange, startRig, type Rig } from './rig.ts';

let rig: Rig;
let agent: RawAgent;
const call = (canary: string): string => JSON.stringify(echoCall(canary));

before(async () => {
  rig = await startRig({ extra: 'limits: { header_timeout_ms: 700, body_timeout_ms: 1200 }' });
  agent = await rig.agent();
  await assertServes(agent);
});
after(() => rig.close());

describe('broken HTTP', { concurrency: false }, () => {
  test('`Expect: 100-continue` is served', async () => {
    const body = JSON.stringify(echoCall('expected'));
    const said = await rawExchange(agent.url, [head(body.length, 'expect: 100-continue\r\nconnection: close\r\n'), body], {
      waitMs: 50,
    });
    assert.match(said, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/);
  });

  test('a request that two HTTP parsers could cut in two ways is answered once with 400 and the connection closed', async (t) => {
    const inner = (canary: string): string => `${head(call(canary).length)}${call(canary)}`;
    const smuggled: readonly (readonly [string, (canary: string) => string])[] = [
      ['length and chunks', (canary) => `${headLines(['content-length: 6', 'transfer-encoding: chunked'])}0\r\n\r\n${inner(canary)}`],
      ['chunks and length', (canary) => `${headLines(['transfer-encoding: chunked', 'content-length: 6'])}0\r\n\r\n${inner(canary)}`],
      ['two lengths', (canary) => `${headLines(['content-length: 2', `content-length: ${String(call(canary).length)}`])}${call(canary)}`],
      ['a length with a sign', (canary) => `${headLines([`content-length: +${String(call(canary).length)}`])}${call(canary)}`],
      ['a list of lengths', (canary) => `${headLines(['content-length: 2, 2'])}{}${inner(canary)}`],
      ['a coding that is none', (canary) => `${headLines(['transfer-encoding: xchunked'])}0\r\n\r\n${inner(canary)}`],
      ['chunked not last', (canary) => `${headLines(['transfer-encoding: chunked, identity'])}0\r\n\r\n${inner(canary)}`],
      ['a space before the colon', (canary) => `${headLines(['transfer-encoding : chunked'])}0\r\n\r\n${inner(canary)}`],
      ['a folded header', (canary) => `${headLines(['transfer-encoding:\r\n chunked'])}0\r\n\r\n${inner(canary)}`],
      [
        'bare line feeds',
        (canary) => `${headLines([`content-length: ${String(call(canary).length)}`]).replaceAll('\r\n', '\n')}${call(canary)}`,
      ],
      [
        'a null byte in a header',
        (canary) => `${headLines(['x-a: a\0b', `content-length: ${String(call(canary).length)}`])}${call(canary)}`,
      ],
      [
        'no Host',
        (canary) => `${headLines([`content-length: ${String(call(canary).length)}`]).replace(/host: .*\r\n/, '')}${call(canary)}`,
      ],
      ['a chunk size that is no number', (canary) => `${headLines(['transfer-encoding: chunked'])}zz\r\n${call(canary)}\r\n0\r\n\r\n`],
      ['HTTP/0.9', (canary) => `GET /mcp/main?${canary}\r\n\r\n`],
      [
        'an unknown HTTP version',
        (canary) => `${headLines([`content-length: ${String(call(canary).length)}`]).replace('HTTP/1.1', 'HTTP/3.9')}${call(canary)}`,
      ],
      ['something that is not HTTP', (canary) => `\x16\x03\x01\x02\x00${canary}\r\n\r\n`],
    ];
    for (const [title, make] of smuggled) {
      await t.test(title, async () => {
        const before = rig.upstream.requests.length;
        const seq = await rig.lastSeq();
        let said = '';
        const canary = `smuggled-${title}`;
        said = await rawExchange(agent.url, [make(canary)]);
        assert.deepEqual(said.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 400'], said);
        assert.match(said, /connection: close/i);
        assert.equal(rig.upstream.requests.length, before);
        assert.ok(!rig.upstream.bytes().includes(canary));
        await waitForRecords(seq, 1);
        await assertServes(agent, title);
      });
    }
  });

  test('headers that are too large are refused', async () => {
    await rig.refused('40 kB of headers', { status: 431, code: 'request.invalid' }, (canary) =>
      rig.http(agent, { body: call(canary), headers: { 'x-long': 'x'.repeat(40_000) } }),
    );
    await assertServes(agent);
  });

  test('headers that drip are cut off in time, and recorded', async () => {
    const seq = await rig.lastSeq();
    const lines = headLines(['content-length: 10']).split('');
    const startedMs = Date.now();
    const said = await rawExchange(agent.url, lines, { waitMs: 100 });
    assert.match(said, /^HTTP\/1.1 408/);
    assert.ok(Date.now() - startedMs < 4000);
    assert.deepEqual(await waitForRecords(seq, 1), ['body.timeout']);
    await assertServes(agent);
  });

  test('a body that drips, stops or breaks off is no request: recorded once, nothing sent on', async () => {
    const seq = await rig.lastSeq();
    const before = rig.upstream.requests.length;
    const broken = [
      [head(3000), ...call('dripped').split('')],
      [head(3000), call('stopped')],
      [head(3000)],
      [`${headLines(['transfer-encoding: chunked'])}5\r\n{"jso\r\n`],
    ];
    for (const said of await Promise.all(broken.map((chunks) => rawExchange(agent.url, chunks, { waitMs: 60 }))))
      assert.match(said, /^(HTTP\/1.1 408|$)/);
    assert.deepEqual(
      await waitForRecords(seq, broken.length),
      broken.map(() => 'body.timeout'),
    );
    assert.equal(rig.upstream.requests.length, before);
    await assertServes(agent);
  });

  test('fifty connections that drip leave room for a good call', async () => {
    const slow = Array.from({ length: 50 }, () => rawExchange(agent.url, headLines(['content-length: 10']).split(''), { waitMs: 200 }));
    const startedMs = Date.now();
    await assertServes(agent);
    assert.ok(Date.now() - startedMs < 1000);
    for (const said of await Promise.all(slow)) assert.match(said, /^HTTP\/1.1 408/);
  });
});

function head(length: number, more = ''): string {
  return `${headLines([`content-length: ${String(length)}`]).slice(0, -2)}${more}\r\n`;
}

function headLines(lines: readonly string[]): string {
  const { host, pathname } = new URL(agent.url);
  const own = [
    `POST ${pathname} HTTP/1.1`,
    `host: ${host}`,
    `authorization: Bearer ${agent.token ?? ''}`,
    `mcp-session-id: ${agent.session ?? ''}`,
    'content-type: application/json',
    'accept: application/json, text/event-stream',
  ];
  return `${[...own, ...lines].join('\r\n')}\r\n\r\n`;
}

async function waitForRecords(seq: number, count: number): Promise<(string | undefined)[]> {
  for (let tries = 0; tries < 80; tries++) {
    const records = await rig.recordsAfter(seq);
    if (records.length >= count) {
      assert.equal(records.length, count, JSON.stringify(records));
      return records.map((record) => record.event?.code);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('no audit record came');
}
