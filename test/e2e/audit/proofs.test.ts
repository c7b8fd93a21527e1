import assert from 'node:assert/strict';
import { createHmac, createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openCheckpoint } from '../../../src/audit/checkpoint.ts';
import { parseVerifier } from '../../../src/audit/note.ts';
import { rootOfProof } from '../../../src/audit/proofs.ts';
import { isConsistent } from '../../../src/audit/tree-proof.ts';
import { hexOf, leafHash, ofHex } from '../../../src/audit/tree.ts';
import { castellan } from '../../cli/castellan.ts';
import { flatPolicy, RawAgent, startGatewayFixture, type GatewayFixture } from '../../support/gateway.ts';
import { echoTool, startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';
import { endAll, metric, told, until } from '../policy/support.ts';

const secretKey = 'a-secret-key-of-the-store';

interface Arrived {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Takes checkpoints: below `/bucket/` like an object store that checks AWS's signature, else like any web server. */
class Receiver {
  readonly arrived: Arrived[] = [];
  status = 200;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const one = {
          method: request.method ?? '',
          path: request.url ?? '',
          headers: request.headers,
          body: Buffer.concat(parts).toString(),
        };
        const isSigned =
          !one.path.startsWith('/bucket/') || signatureOf(one) === /Signature=([0-9a-f]{64})/.exec(one.headers.authorization ?? '')?.[1];
        if (this.status === 200 && isSigned) this.arrived.push(one);
        response.writeHead(isSigned ? this.status : 403).end();
      });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  latest(path: string): Arrived | undefined {
    return this.arrived.filter((one) => one.path.startsWith(path)).at(-1);
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** AWS Signature Version 4, from its specification. */
function signatureOf({ method, path, headers, body }: Arrived): string {
  const [, scope = '', names = ''] = /Credential=[^/]+\/([^,]+), ?SignedHeaders=([^,]+)/.exec(headers.authorization ?? '') ?? [];
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const canonicalHeaders = names.split(';').map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const hashed = String(headers['x-amz-content-sha256'] ?? sha256(body));
  if (hashed !== 'UNSIGNED-PAYLOAD' && hashed !== sha256(body)) return 'the body is another';
  const canonical = [method, path, '', canonicalHeaders.join(''), names, hashed].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n');
  const [date = '', region = '', service = ''] = scope.split('/');
  const key = ['aws4_request'].reduce((sum, part) => hmac(sum, part), hmac(hmac(hmac(`AWS4${secretKey}`, date), region), service));
  return hmac(key, toSign).toString('hex');
}

describe('the proofs of a running gateway', { timeout: 180_000 }, () => {
  const receiver = new Receiver();
  let upstream: RecordingUpstream;
  let fixture: GatewayFixture;
  let agent: RawAgent;
  let publicKey: string;
  const secrets = { CASTELLAN_TEST_S3_SECRET: secretKey, CASTELLAN_TEST_S3_ID: 'an-id', CASTELLAN_TEST_BEARER: 'Bearer x' };
  const cli = (...args: string[]) => castellan(['--json', 'audit', ...args, '--config', fixture.configPath], { env: secrets });
  const offline = (...args: string[]) => castellan(['--json', 'audit', ...args]);
  const opened = (note: string) => {
    const found = openCheckpoint(note, [parseVerifier(publicKey)]);
    assert.ok(found.ok, found.ok ? '' : found.problem);
    return found.checkpoint;
  };
  before(async () => {
    const base = await receiver.start();
    Object.assign(process.env, secrets);
    upstream = await startRecordingUpstream();
    upstream.tools = [echoTool];
    fixture = await startGatewayFixture({
      upstreams: `  one: { http: { url: "${upstream.url}" }, pinning: first_seen }`,
      policy: flatPolicy('allow'),
      extra: `audit:
  checkpoints:
    origin: example.com/test-log
    records: 10
    interval_s: 1
    push:
      - { name: web, http: { url: "${base}/checkpoints/{size}", method: PUT, headers: { authorization: { env: CASTELLAN_TEST_BEARER } } } }
      - { name: store, s3: { endpoint: "${base}", bucket: bucket, prefix: a/b, access_key_id: { env: CASTELLAN_TEST_S3_ID }, secret_access_key: { env: CASTELLAN_TEST_S3_SECRET } } }
`,
    });
    agent = await new RawAgent(fixture.endpoint(), await fixture.token()).open();
    const { stdout, stderr } = await cli('checkpoint');
    publicKey = (JSON.parse(stdout || stderr) as { public_key: string }).public_key;
  });
  after(() =>
    endAll(
      () => fixture.close(),
      () => upstream.close(),
      () => receiver.close(),
    ),
  );

  it('signs the log as it grows, with a key of its own, and sends each checkpoint off the host', async () => {
    assert.match(publicKey, /^example\.com\/test-log\+[0-9a-f]{8}\+/);
    assert.equal(statSync(join(fixture.folder, 'castellan.db.checkpoint-key.pem')).mode & 0o777, 0o600);
    for (let at = 0; at < 12; at++) await agent.call('echo', { text: `call ${at}` });
    const size = (await fixture.records()).length;
    await until(
      'the checkpoint of all of it is out',
      () =>
        [receiver.latest('/checkpoints/'), receiver.latest('/bucket/a/b/checkpoint')].every(
          (one) => one !== undefined && opened(one.body).size >= size - 1,
        ),
      15_000,
    );
    const web = receiver.latest('/checkpoints/')!;
    assert.deepEqual([web.method, web.headers.authorization, web.path], ['PUT', 'Bearer x', `/checkpoints/${opened(web.body).size}`]);
    assert.ok(receiver.arrived.some((one) => /^\/bucket\/a\/b\/checkpoints\/0{10,}\d+-[0-9a-f]{16}$/.test(one.path)));
    assert.equal(opened(readFileSync(join(fixture.folder, 'castellan.db.checkpoint'), 'utf8')).origin, 'example.com/test-log');
  });

  it('says that a target is behind, and catches up by itself', async () => {
    receiver.status = 503;
    await agent.call('echo', { text: 'while it is away' });
    await until(
      'the metric says so',
      async () => (await metric(fixture.url, 'castellan_audit_checkpoint_behind_seconds{target="store"}')) > 0,
      10_000,
    );
    receiver.status = 200;
    const before = receiver.arrived.length;
    await until(
      'it has the latest',
      async () =>
        receiver.arrived.length > before && (await metric(fixture.url, 'castellan_audit_checkpoint_behind_seconds{target="store"}')) === 0,
      20_000,
    );
  });

  it('proves that a record is in the log, and that the log begins with what it was', async () => {
    const records = await fixture.records();
    const { seq, record } = records[4]!;
    const { body } = await fixture.admin('GET', `/audit/proof?seq=${seq}`);
    const checkpoint = opened(body.checkpoint);
    assert.equal(body.leaf, hexOf(leafHash(JSON.stringify(record))));
    assert.equal(rootOfProof({ ...body, size: checkpoint.size }), hexOf(checkpoint.root));
    const early = receiver.arrived.map((one) => opened(one.body)).find((one) => one.size < records.length)!;
    const latest = opened(JSON.parse((await cli('checkpoint')).stdout).note);
    const proof = JSON.parse((await cli('prove', '--from', String(early.size), '--to', String(latest.size))).stdout) as { proof: string[] };
    assert.ok(isConsistent(early, latest, proof.proof.map(ofHex)));
    assert.equal((await fixture.admin('GET', '/audit/proof?seq=999999')).status, 404);
  });

  it('verifies itself: at the admin API, from the command line, and against checkpoints kept elsewhere', async () => {
    const { body } = await fixture.admin('POST', '/audit/verify', { body: { checkpoints: receiver.arrived.map((one) => one.body) } });
    assert.ok(body.ok && body.signed && body.checkpoints > 0, JSON.stringify(body));
    const kept = join(fixture.folder, 'kept.checkpoint');
    writeFileSync(kept, receiver.latest('/bucket/a/b/checkpoint')!.body);
    const { code, stdout } = await cli('verify', '--checkpoint', kept);
    assert.deepEqual([code, JSON.parse(stdout).ok], [0, true]);
    writeFileSync(kept, receiver.latest('/bucket/a/b/checkpoint')!.body.replace(/\n\d+\n/, '\n7\n'));
    const edited = await cli('verify', '--checkpoint', kept);
    assert.deepEqual([edited.code, JSON.parse(edited.stdout).kind], [1, 'checkpoint_changed']);
  });

  it('writes exports that verify offline with the public key alone, and not when a word was changed', async () => {
    const file = join(fixture.folder, 'export.jsonl');
    const key = join(fixture.folder, 'public-key');
    writeFileSync(key, `${publicKey}\n`);
    assert.equal((await cli('export', '--output', file)).code, 0);
    const good = await offline('verify', file, '--key', key);
    assert.deepEqual([good.code, JSON.parse(good.stdout).ok, JSON.parse(good.stdout).unsigned], [0, true, 0], good.stdout);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"subject":"alice"', '"subject":"mallory"'));
    const bad = await offline('verify', file, '--key', key);
    assert.deepEqual([bad.code, JSON.parse(bad.stdout).kind], [1, 'edited'], bad.stdout);
    assert.equal((await offline('verify', file)).code, 2);
    assert.equal((await cli('export', '--inputs', '--output', file)).code, 0);
    const whole = JSON.parse((await offline('verify', file, '--key', key)).stdout) as { ok: boolean; inputs: number };
    assert.ok(whole.ok && whole.inputs > 20, JSON.stringify(whole));
    writeFileSync(file, readFileSync(file, 'utf8').replace('call 3', 'call 4'));
    assert.equal(JSON.parse((await offline('verify', file, '--key', key)).stdout).kind, 'input_swapped');
    const stored = JSON.parse((await cli('verify', '--inputs')).stdout) as { ok: boolean; inputs: number };
    assert.ok(stored.ok && stored.inputs >= whole.inputs, JSON.stringify(stored));
  });

  it('writes a receipt of a call, which is checked offline with the public key alone', async () => {
    const answer = told(await agent.call('echo', { text: 'to be proved' }));
    await fixture.records();
    const call = String(answer.note['id']);
    const file = join(fixture.folder, 'receipt.json');
    const written = await cli('receipt', call, '--output', file);
    assert.deepEqual([written.code, JSON.parse(written.stdout).inputs], [0, 2], written.stderr);
    const good = await offline('check-receipt', file, '--key', publicKey);
    const { findings } = JSON.parse(good.stdout) as { findings: { what: string; holds: boolean | null; detail: string }[] };
    assert.equal(good.code, 0, good.stdout);
    assert.deepEqual(
      findings.map((one) => one.holds),
      findings.map(() => true),
      JSON.stringify(findings, null, 2),
    );
    for (const part of ['checkpoint', 'decision of record', 'input of record', 'release '])
      assert.ok(
        findings.some((one) => one.what.startsWith(part)),
        part,
      );

    const receipt = JSON.parse(readFileSync(file, 'utf8'));
    const spoilt: {
      readonly name: string;
      readonly change: (copy: typeof receipt) => void;
      readonly what: RegExp;
      readonly detail: RegExp;
    }[] = [
      {
        name: 'another input',
        change: (copy) => (copy.records[0].input.json = copy.records[0].input.json.replace('to be proved', 'to be forged')),
        what: /input of record/,
        detail: /edited or swapped/,
      },
      {
        name: 'an edited record',
        change: (copy) => (copy.records[0].text = copy.records[0].text.replace('alice', 'mallory')),
        what: /^record/,
        detail: /not in the log/,
      },
      {
        name: 'other data',
        change: (copy) => (copy.releases[0].data = '{"allow_all":true}'),
        what: /^release/,
        detail: /edited or swapped/,
      },
      {
        name: 'another module under the same name',
        change: (copy) => {
          copy.releases[0].data = '{"allow_all":true}';
          copy.releases[0].build = buildOf(copy.releases[0]);
        },
        what: /^release/,
        detail: /another module/,
      },
      {
        name: 'an edited checkpoint',
        change: (copy) => (copy.checkpoint = copy.checkpoint.replace(/\n\d+\n/, '\n9\n')),
        what: /checkpoint/,
        detail: /does not fit/,
      },
      { name: 'a proof that was cut', change: (copy) => copy.records[1].proof.pop(), what: /^record/, detail: /not in the log/ },
    ];
    for (const { name, change, what, detail } of spoilt) {
      const copy = structuredClone(receipt);
      change(copy);
      writeFileSync(file, JSON.stringify(copy));
      const { code, stdout } = await offline('check-receipt', file, '--key', publicKey);
      const wrong = (JSON.parse(stdout) as typeof good & { findings: typeof findings }).findings.filter((one) => one.holds === false);
      assert.equal(code, 1, name);
      assert.ok(
        wrong.some((one) => what.test(one.what) && detail.test(one.detail)),
        `${name}: ${JSON.stringify(wrong)}`,
      );
    }
    const without = await cli('receipt', call, '--output', file, '--no-input');
    assert.equal(JSON.parse(without.stdout).inputs, 0);
    const { findings: some } = JSON.parse((await offline('check-receipt', file, '--key', publicKey)).stdout) as {
      findings: typeof findings;
    };
    assert.deepEqual([...new Set(some.map((one) => one.holds))].sort(), [null, true]);
  });

  it('gives a receipt at the admin API without inputs to an auditor, and records that it was asked for', async () => {
    const call = String(told(await agent.call('echo', { text: 'again' })).note['id']);
    const { status, body } = await fixture.admin('GET', `/audit/receipt/${call}`);
    assert.equal(status, 200);
    assert.ok(body.records.length === 2 && body.records.every((one: { input?: unknown }) => one.input === undefined));
    assert.ok(
      (await fixture.records()).some(({ record }) => record.event?.code === 'audit.receipt' && record.event.detail?.['call'] === call),
    );
    assert.equal((await fixture.admin('GET', '/audit/receipt/nothing')).status, 404);
  });
});

function buildOf({ wasm, data }: { wasm: string; data: string }): string {
  const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
  return `sha256:${sha256(`${sha256(Buffer.from(wasm, 'base64'))}\n${sha256(data)}`)}`;
}
