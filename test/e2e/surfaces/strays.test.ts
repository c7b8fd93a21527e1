import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { AuditRecord } from '../../../src/model/audit-record.ts';
import { frame, stream, textResult } from '../../support/recording-upstream.ts';
import { assertServes, startRig, until, type Rig } from '../transport/rig.ts';

const shown = ({ kind, session, what, event }: AuditRecord): object => ({
  kind,
  code: event?.code,
  form: event?.detail?.['form'],
  phase: what?.phase,
  method: what?.method,
  server: what?.server,
  ofSession: session !== undefined,
});

/** What a server sends and nobody can take, each with what its record says. */
const stray = (form: string, method: string): object => ({
  kind: 'refused',
  code: 'message.unplaced',
  form,
  phase: 'message',
  method,
  server: 'rec',
  ofSession: true,
});

describe('what a server sends and nobody can take', { concurrency: false, timeout: 60_000 }, () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ prepare: (upstream) => void (upstream.capabilities = { tools: { listChanged: true }, logging: {} }) });
  });
  after(() => rig.close());

  test('each message on the stream of a call leaves one record, and the call goes on', async () => {
    const agent = await rig.agent();
    const seq = await rig.lastSeq();
    rig.upstream.once('tools/call', ({ request, response }) => {
      const { id } = request.message;
      const notice = (method: string, params: object): string => frame({ jsonrpc: '2.0', method, params });
      stream(response);
      response.write(notice('notifications/progress', { progressToken: 'made-up-canary', progress: 1 }));
      response.write(notice('notifications/cancelled', { requestId: 'made-up-canary' }));
      response.end(frame(textResult(id, 'done')));
    });
    assert.equal((await agent.call('echo', { text: 'x' })).result.content[0].text, 'done');
    const records = (await rig.recordsAfter(seq)).filter(({ kind }) => kind === 'refused');
    assert.deepEqual(records.map(shown), [
      stray('notification', 'notifications/progress'),
      stray('notification', 'notifications/cancelled'),
    ]);
    assert.ok(!JSON.stringify(records).includes('canary'));
  });

  test('an answer on the stream where none is due leaves one record', async () => {
    const agent = await rig.agent();
    await assertServes(agent);
    const listening = new AbortController();
    const { body } = await fetch(agent.url, {
      headers: { authorization: `Bearer ${agent.token ?? ''}`, 'mcp-session-id': agent.session ?? '', accept: 'text/event-stream' },
      signal: listening.signal,
    });
    // The gateway's own stream, and this agent's.
    await until(() => rig.upstream.streams === 2);
    const seq = await rig.lastSeq();
    rig.upstream.push({ jsonrpc: '2.0', id: 3, result: { content: [{ type: 'text', text: 'not yours' }] } });
    await until(async () => (await rig.recordsAfter(seq)).length === 2);
    const records = (await rig.recordsAfter(seq)).map(shown);
    const own = stray('response', '');
    assert.deepEqual(
      records.filter((one) => 'ofSession' in one && one.ofSession),
      [own],
    );
    assert.deepEqual(
      records.filter((one) => 'ofSession' in one && !one.ofSession),
      [{ ...own, ofSession: false }],
    );
    listening.abort();
    await body?.cancel().catch(() => undefined);
  });

  test('a server that asks while its lists are read is refused at once, and so are its words', async () => {
    const seq = await rig.lastSeq();
    const before = rig.upstream.calls('tools/list').length;
    rig.upstream.once('tools/list', ({ request, response }) => {
      stream(response);
      response.write(frame({ jsonrpc: '2.0', id: 'ask', method: 'roots/list' }));
      response.write(frame({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'listing' } }));
      response.end(frame({ jsonrpc: '2.0', id: request.message.id, result: { tools: rig.upstream.tools } }));
    });
    rig.upstream.push({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    await until(() => rig.upstream.calls('tools/list').length > before);
    await until(() => rig.upstream.requests.some(({ message }) => message.id === 'ask' && message.error !== undefined));
    await until(async () => (await rig.recordsAfter(seq)).length === 2);
    assert.deepEqual((await rig.recordsAfter(seq)).map(shown), [
      { ...stray('request', 'roots/list'), ofSession: false },
      { ...stray('notification', 'notifications/message'), ofSession: false },
    ]);
  });

  test('what comes while the log level is set is judged as any message of that session', async () => {
    const agent = await rig.agent();
    const seq = await rig.lastSeq();
    rig.upstream.once('logging/setLevel', ({ request, response }) => {
      stream(response);
      response.write(frame({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'now I talk' } }));
      response.end(frame({ jsonrpc: '2.0', id: request.message.id, result: {} }));
    });
    await agent.request('logging/setLevel', { level: 'info' });
    await until(async () => (await rig.recordsAfter(seq)).length === 2);
    const records = await rig.recordsAfter(seq);
    assert.deepEqual(
      records.map(({ kind, what, decision }) => `${kind} ${what?.phase ?? ''} ${what?.method ?? ''} ${decision?.effect ?? ''}`),
      ['decided call logging/setLevel allow', 'decided message notifications/message allow'],
    );
  });

  test('a server that floods has the rest counted: it does not fill the log, and calls are served meanwhile', async () => {
    const agent = await rig.agent();
    const seq = await rig.lastSeq();
    rig.upstream.once('tools/call', ({ request, response }) => {
      stream(response);
      for (let i = 0; i < 3_000; i++)
        response.write(
          frame({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: `t${String(i)}`, progress: 1 } }),
        );
      response.end(frame(textResult(request.message.id, 'done')));
    });
    assert.equal((await agent.call('echo', { text: 'x' })).result.content[0].text, 'done');
    await assertServes(agent);
    const strays = (await rig.recordsAfter(seq, 500)).filter(({ kind }) => kind === 'refused');
    assert.ok(strays.length >= 1 && strays.length <= 101, String(strays.length));
    await rig.gateway.restart();
    const told = (await rig.recordsAfter(seq, 500)).filter(({ event }) => event?.detail?.['messages'] !== undefined);
    assert.equal(told.length, 1);
    assert.ok(Number(told[0]?.event?.detail?.['messages']) >= 3_000 - 101);
  });
});
