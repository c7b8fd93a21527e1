import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { pushCheckpoint } from '../../src/sinks/checkpoint-push.ts';
import { openSink } from '../../src/sinks/open.ts';
import type { SinkFault, SinkOptions, SinkTarget } from '../../src/sinks/sink.ts';
import { decided, finished } from '../audit/records.ts';
import { decisionLogProblems } from './decision-log-checker.ts';
import { network, product, sinkRecord, startHttpReceiver, startSyslogReceiver, type HttpReceiver } from './receivers.ts';

const secrets = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', `whsec_${Buffer.alloc(32, 7).toString('base64')}`];
const batch = [sinkRecord(1, decided(0)), sinkRecord(2, decided(1)), sinkRecord(3, finished(1))];

function options(target: SinkTarget): SinkOptions {
  return {
    name: 'siem',
    target,
    kinds: ['decided', 'finished', 'refused', 'admin', 'system'],
    from: 'start',
    batchRecords: 100,
    gatherMs: 0,
  };
}

const s3 = { bucket: 'bucket', region: 'eu', prefix: 'a/b', accessKeyId: 'id', secretAccessKey: 'key', sessionToken: undefined };
const signed = { size: 7, root: 'ab'.repeat(32), note: 'a note' };

function httpTargets(url: string) {
  return [
    { kind: 'webhook', url, secrets, format: 'castellan' },
    { kind: 'opa', url, partition: undefined, headers: {}, labels: {}, includeInput: false, uploadSizeLimitBytes: 32_768 },
    { kind: 'otlp', url, headers: {} },
    { kind: 's3', endpoint: url, ...s3, format: 'castellan' },
  ] as const;
}

function checkpointPlaces(url: string) {
  return [
    { kind: 'http', url: `${url}/note/{size}`, method: 'POST', headers: {} },
    { kind: 's3', endpoint: url, ...s3 },
  ] as const;
}

describe('what a sink sends', () => {
  let receiver: HttpReceiver;
  let url: string;
  before(async () => {
    receiver = await startHttpReceiver();
    url = `http://127.0.0.1:${receiver.port}`;
  });
  after(() => receiver.stop());
  const sent = async (target: SinkTarget, records = batch) => {
    const sink = await openSink(options(target), product, network);
    await sink.send(records);
    await sink.close();
    return receiver.taken.at(-1)!;
  };

  it('is a Standard Webhook that its package verifies with either secret, and that a changed byte breaks', async () => {
    const target = { kind: 'webhook', url: `${url}/hook`, secrets, format: 'castellan', allowPrivateNetwork: true } as const;
    const { text, headers } = await sent(target);
    const named = Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, String(value)]));
    for (const secret of secrets) {
      const payload = new Webhook(secret).verify(text, named) as { type: string; data: { records: unknown[] } };
      assert.equal(payload.type, 'castellan.audit.records');
      assert.deepEqual(payload.data.records, JSON.parse(JSON.stringify(batch)));
      assert.throws(() => new Webhook(secret).verify(text.replace('user-0', 'user-9'), named));
    }
    assert.equal((await sent(target)).headers['webhook-id'], headers['webhook-id'], 'the same records have the same id');
  });

  it('never goes to a private address where that is not allowed, whichever kind it is', async () => {
    const before = receiver.taken.length;
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '2130706433']) {
      const address = `http://${host}:${receiver.port}`;
      for (const target of httpTargets(address)) {
        const sink = await openSink(options({ ...target, allowPrivateNetwork: false }), product, network);
        await assert.rejects(sink.send(batch), { name: 'SinkFault', message: /private address/ }, `${target.kind} ${host}`);
        await sink.close();
      }
      for (const place of checkpointPlaces(address))
        await assert.rejects(pushCheckpoint({ ...place, allowPrivateNetwork: false }, network, signed), { name: 'SinkFault' }, host);
    }
    assert.equal(receiver.taken.length, before);
    const address = `http://127.0.0.1:${receiver.port}`;
    for (const target of httpTargets(address)) await sent({ ...target, allowPrivateNetwork: true });
    for (const place of checkpointPlaces(address)) await pushCheckpoint({ ...place, allowPrivateNetwork: true }, network, signed);
    const paths = receiver.taken.slice(before).map(({ path }) => path);
    const [, , , , note] = paths;
    assert.equal(note, '/note/7');
    assert.deepEqual(paths.slice(-2), [`/bucket/a/b/checkpoints/0000000000000007-${'ab'.repeat(8)}`, '/bucket/a/b/checkpoint']);
  });

  it('is a gzip array of events that OPA could have sent', async () => {
    const target = {
      kind: 'opa',
      allowPrivateNetwork: true,
      url,
      partition: 'team a',
      headers: { authorization: 'Bearer x' },
      labels: { app: 'mcp' },
      includeInput: false,
      uploadSizeLimitBytes: 32_768,
    } as const;
    const { path, headers, text } = await sent(target);
    assert.equal(path, '/logs/team%20a');
    assert.equal(headers['content-encoding'], 'gzip');
    assert.equal(headers.authorization, 'Bearer x');
    const events = JSON.parse(text) as unknown[];
    assert.equal(events.length, 2, 'a finished record without a judgement is no decision');
    assert.deepEqual(events.flatMap(decisionLogProblems), []);
  });

  it('is an OTLP request, and a receiver that took only a part of it has not taken it', async () => {
    const target = { kind: 'otlp', url, headers: {}, allowPrivateNetwork: true } as const;
    const { path, text } = await sent(target);
    assert.equal(path, '/v1/logs');
    const request = JSON.parse(text) as { resourceLogs: { scopeLogs: { logRecords: { body: { stringValue: string } }[] }[] }[] };
    const bodies = request.resourceLogs[0]!.scopeLogs[0]!.logRecords.map(({ body }) => JSON.parse(body.stringValue) as unknown);
    assert.deepEqual(
      bodies,
      batch.map(({ record }) => JSON.parse(JSON.stringify(record)) as unknown),
    );
    receiver.answer = () => ({ status: 200, body: '{"partialSuccess":{"rejectedLogRecords":"1"}}' });
    await assert.rejects(sent(target), { name: 'SinkFault', message: 'the receiver refused 1 of 3 records' });
    receiver.answer = () => ({ status: 200 });
  });

  it('tells a fault with the time to wait and whether it was too much', async () => {
    const target = { kind: 'otlp', url, headers: {}, allowPrivateNetwork: true } as const;
    receiver.answer = () => ({ status: 429, headers: { 'retry-after': '7' } });
    await assert.rejects(sent(target), (error: SinkFault) => error.retryAfterMs === 7_000 && !error.tooLarge);
    receiver.answer = () => ({ status: 413 });
    await assert.rejects(sent(target), (error: SinkFault) => error.tooLarge);
    receiver.answer = () => ({ status: 302, headers: { location: 'http://127.0.0.1:1/' } });
    await assert.rejects(sent(target), { name: 'SinkFault', message: /status 302/ });
    receiver.answer = () => ({ status: 200 });
  });
});

describe('syslog', () => {
  it('frames messages by their length in bytes, over one connection', async () => {
    const receiver = await startSyslogReceiver();
    const target = { kind: 'syslog', host: '127.0.0.1', port: receiver.port, tls: false, ca: undefined, format: 'castellan' } as const;
    const sink = await openSink(options(target), product, network);
    const wide = decided(9, { tenant: 'Größe \u{1f600}' });
    await sink.send([...batch, sinkRecord(4, wide)]);
    await sink.send([sinkRecord(5, decided(2))]);
    await sink.close();
    await until(() => receiver.messages.length === 5);
    assert.deepEqual(receiver.faults, []);
    assert.match(receiver.messages[3]!, /Größe \u{1f600}/u);
    await receiver.stop();
  });

  it('goes over TLS to a receiver that the authority vouches for, and to no other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'castellan-tls-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const san = 'subjectAltName=IP:127.0.0.1';
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=test', '-addext', san, '-keyout', key, '-out', cert],
      { stdio: 'ignore' },
    );
    const pem = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
    rmSync(folder, { recursive: true });
    const receiver = await startSyslogReceiver(pem);
    const target = { kind: 'syslog', host: '127.0.0.1', port: receiver.port, tls: true, ca: pem.cert, format: 'cef' } as const;
    const sink = await openSink(options(target), product, network);
    await sink.send(batch);
    await sink.close();
    await until(() => receiver.messages.length === 3);
    assert.match(receiver.messages[0]!, / \ufeffCEF:0\|Castellan\|/);
    const stranger = await openSink(options({ ...target, ca: undefined }), product, network);
    await assert.rejects(stranger.send(batch), { name: 'SinkFault' });
    await stranger.close();
    assert.equal(receiver.messages.length, 3);
    await receiver.stop();
  });
});

async function until(done: () => boolean): Promise<void> {
  for (let tries = 0; !done(); tries++) {
    assert.ok(tries < 200, 'it did not come');
    await new Promise((wake) => setTimeout(wake, 10));
  }
}
