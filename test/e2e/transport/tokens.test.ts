import assert from 'node:assert/strict';
import { createHmac, createPublicKey } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { UnsecuredJWT } from 'jose';
import { newTestKey, startTestIssuer, type TestIssuer } from '../../identity/test-issuer.ts';
import { RawAgent } from '../../support/gateway.ts';
import { assertServes, echoCall, startRig, type HttpAnswer, type Rig } from './rig.ts';

const everything = fileURLToPath(new URL('../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url));

/** A clock that the test moves forward, for the gateway and its identity providers alike. */
const realNow = Date.now.bind(Date);
let aheadMs = 0;
Date.now = () => realNow() + aheadMs;

/** What the gateway logs, at its most talkative; kept from the test's own output. */
let logged = '';
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (chunk: string | Uint8Array, ...rest: []) => {
  const text = Buffer.from(chunk).toString();
  if (!text.startsWith('{"time"')) return write(chunk, ...rest);
  logged += text;
  return true;
};

let rig: Rig;
let idp: TestIssuer;
let agent: RawAgent;
let endpoint: string;
/** Every credential that was shown to the gateway. */
const shown: string[] = [];

before(async () => {
  idp = await startTestIssuer();
  rig = await startRig({
    endpoints: '  main: { upstreams: [{ name: rec }, { name: child, tools: [get-env] }] }\n  other: { upstreams: [{ name: rec }] }',
    issuers: `  - { issuer: "${idp.issuer}", audience: endpoint, algorithms: [ES256], required_scopes: ["mcp:tools"] }`,
    extra: `limits: { session_idle_s: 604800 }`,
    logLevel: 'debug',
    moreUpstreams: `  child: { stdio: { command: ${JSON.stringify(process.execPath)}, args: [${JSON.stringify(everything)}, stdio] } }`,
  });
  endpoint = rig.gateway.endpoint('main');
  agent = await rig.agent();
  shown.push(agent.token ?? '');
  await assertServes(agent);
});
after(async () => {
  await rig.close();
  await idp.close();
});

const claims = (extra: Record<string, unknown> = {}): Record<string, unknown> => {
  const nowS = Math.floor(Date.now() / 1000);
  return { iss: idp.issuer, sub: 'alice', aud: endpoint, client_id: 'agent-1', iat: nowS, exp: nowS + 3600, scope: 'mcp:tools', ...extra };
};
const encode = (object: object): string => Buffer.from(JSON.stringify(object)).toString('base64url');

/** Calls with a token in the session of the agent, so that nothing but the token can be what is wrong. */
function callWith(token: string | undefined, canary: string, scheme = 'Bearer'): Promise<HttpAnswer> {
  if (token !== undefined) shown.push(token);
  return rig.http(agent, {
    body: JSON.stringify(echoCall(canary)),
    headers: { authorization: token === undefined ? undefined : `${scheme} ${token}` },
  });
}

function challengeOf(answer: HttpAnswer, error?: string, scope = 'mcp:tools'): void {
  const detail =
    error === undefined
      ? ''
      : `error="${error}", error_description="${String(answer.json.error.message).replaceAll('`', '`').replaceAll('…', '...')}", `;
  const metadata = `${rig.gateway.url}/.well-known/oauth-protected-resource/mcp/main`;
  assert.equal(answer.headers['www-authenticate'], `Bearer ${detail}scope="${scope}", resource_metadata="${metadata}"`);
}

describe('tokens', { concurrency: false }, () => {
  test('without a token the answer is 401 and says where the metadata is, and it is there', async () => {
    for (const [title, token, scheme] of [
      ['no token', undefined, ''],
      ['another scheme', 'dXNlcjpwYXNz', 'Basic'],
      ['a scheme alone', '', ''],
    ] as const) {
      const answer = await rig.refused(title, { status: 401, code: 'auth.required', rpc: 4010 }, (canary) =>
        callWith(token, canary, scheme),
      );
      challengeOf(answer);
    }
    for (const path of ['/.well-known/oauth-protected-resource/mcp/main', '/.well-known/oauth-protected-resource/mcp/other']) {
      const metadata = await fetch(`${rig.gateway.url}${path}`);
      assert.equal(metadata.headers.get('content-type')?.split(';')[0], 'application/json');
      assert.deepEqual(await metadata.json(), {
        resource: `${rig.gateway.url}${path.slice('/.well-known/oauth-protected-resource'.length)}`,
        authorization_servers: [rig.gateway.provider.issuer, idp.issuer],
        scopes_supported: ['mcp:tools'],
        bearer_methods_supported: ['header'],
        resource_name: path.split('/').at(-1),
      });
    }
    assert.equal((await fetch(`${rig.gateway.url}/.well-known/oauth-protected-resource/mcp/none`)).status, 404);
  });

  test('each wrong token is refused with 401 and the challenge that says so', async (t) => {
    const own = idp.keys[0];
    assert.ok(own !== undefined);
    const nowS = Math.floor(Date.now() / 1000);
    const good = await idp.sign(claims());
    const [header = '', payload = '', signature = ''] = good.split('.');
    const publicPem = createPublicKey(own.privateKey).export({ type: 'spki', format: 'pem' });
    const hmac = (head: object, secret: string | Buffer): string => {
      const text = `${encode(head)}.${payload}`;
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    };
    const evil = newTestKey('ES256', own.kid);
    const rows: readonly (readonly [string, string])[] = [
      ['expired', await idp.sign(claims({ iat: nowS - 7200, exp: nowS - 61 }))],
      ['not valid yet', await idp.sign(claims({ nbf: nowS + 120 }))],
      ['issued in the future', await idp.sign(claims({ iat: nowS + 120 }))],
      ['without expiry', await idp.sign(claims({ exp: undefined }))],
      ['expiry as text', await idp.sign(claims({ exp: undefined, Exp: nowS + 60 }))],
      ['for another endpoint', await idp.sign(claims({ aud: rig.gateway.endpoint('other') }))],
      ['for another endpoint, from the provider', await rig.gateway.token('alice', 'other')],
      ['for the admin API', await rig.gateway.provider.tokenFor('sofia', { resource: rig.gateway.adminAudience })],
      ['for the origin', await idp.sign(claims({ aud: rig.gateway.url }))],
      ['for the endpoint with a slash', await idp.sign(claims({ aud: `${endpoint}/` }))],
      ['for an endpoint that begins alike', await idp.sign(claims({ aud: `${endpoint}2` }))],
      ['for nobody', await idp.sign(claims({ aud: undefined }))],
      ['of an issuer that is not trusted', await idp.sign(claims({ iss: 'https://evil.example' }))],
      ['of an issuer with a slash', await idp.sign(claims({ iss: `${idp.issuer}/` }))],
      ['without an issuer', await idp.sign(claims({ iss: undefined }))],
      ['of the other issuer, signed by this one', await idp.sign(claims({ iss: rig.gateway.provider.issuer }))],
      ['without a subject', await idp.sign(claims({ sub: undefined }))],
      ['alg none', new UnsecuredJWT(claims()).encode()],
      ['alg none with the signature', `${encode({ alg: 'none', typ: 'at+jwt', kid: own.kid })}.${payload}.${signature}`],
      ['the public key as MAC secret', hmac({ alg: 'HS256', typ: 'at+jwt', kid: own.kid }, publicPem)],
      ['an empty MAC secret', hmac({ alg: 'HS256', typ: 'at+jwt', kid: own.kid }, '')],
      ['signed by somebody else under the same key id', await idp.sign(claims(), {}, evil)],
      ['with a key of its own', await idp.sign(claims(), { jwk: evil.jwk }, evil)],
      ['of an unknown key', await idp.sign(claims(), { kid: 'nobody' }, evil)],
      ['of an algorithm that the issuer may not use', await idp.sign(claims(), {}, newTestKey('EdDSA', own.kid))],
      ['an ID token', await idp.sign(claims({ nonce: 'n' }), { typ: 'JWT' })],
      ['an ID token in an access token’s clothes', await idp.sign(claims({ at_hash: 'x' }))],
      ['without a type', await idp.sign(claims(), { typ: undefined as unknown as string })],
      ['bound to a key', await idp.sign(claims({ cnf: { jkt: 'x' } }))],
      ['tampered claims', `${header}.${encode(claims({ sub: 'root' }))}.${signature}`],
      ['tampered signature', `${header}.${payload}.${signature.slice(0, 10)}${signature[10] === 'A' ? 'B' : 'A'}${signature.slice(11)}`],
      ['another spelling of the signature', `${good}=`],
      ['cut off', good.slice(0, -10)],
      ['two parts', `${header}.${payload}`],
      ['five parts', `${good}.x.y`],
      ['no JWT at all', 'hello'],
      ['two tokens', `${good} ${good}`],
      ['10 kB', 'x'.repeat(10_000)],
    ];
    for (const [title, token] of rows) {
      await t.test(title, async () => {
        const answer = await rig.refused(title, { status: 401, code: 'auth.invalid_token', rpc: 4010 }, (canary) =>
          callWith(token, canary),
        );
        challengeOf(answer, 'invalid_token');
      });
    }
    await assertServes(agent);
  });

  test('a token without the scope gets 403 and is told which one', async () => {
    for (const [title, token] of [
      ['no scope', await idp.sign(claims({ scope: undefined }))],
      ['another scope', await idp.sign(claims({ scope: 'mcp:tools2 mcp openid' }))],
    ] as const) {
      const answer = await rig.refused(title, { status: 403, code: 'auth.insufficient_scope', rpc: 4031 }, (canary) =>
        callWith(token, canary),
      );
      challengeOf(answer, 'insufficient_scope');
    }
  });

  test('no header but `authorization` says who calls', async () => {
    const headers = {
      'x-user-id': 'root',
      'x-forwarded-user': 'root',
      'x-forwarded-for': '10.0.0.1',
      'x-forwarded-host': 'evil.example',
      'mcp-init-host': 'evil.example',
      cookie: 'session=root',
    };
    await rig.refused('trust headers', { status: 401, code: 'auth.required' }, (canary) =>
      rig.http(agent, { body: JSON.stringify(echoCall(canary)), headers: { ...headers, authorization: undefined } }),
    );
    await rig.refused('a token in the query', { status: 401, code: 'auth.required' }, (canary) =>
      rig.http(agent, {
        path: `/mcp/main?access_token=${agent.token ?? ''}`,
        body: JSON.stringify(echoCall(canary)),
        headers: { authorization: undefined },
      }),
    );
    const seq = await rig.lastSeq();
    await rig.http(agent, { body: JSON.stringify(echoCall('x')), headers });
    const [record] = await rig.recordsAfter(seq);
    assert.deepEqual([record?.who?.subject, record?.ip], ['alice', '127.0.0.1']);
  });

  test('an API key opens a session until it is revoked or expires; an unknown one never does', async () => {
    const make = async (expiresS: number): Promise<{ id: string; key: string }> =>
      (await rig.gateway.admin('POST', '/keys', { body: { name: 'robot', groups: ['ci'], scopes: ['mcp:tools'], expires_in_s: expiresS } }))
        .body as { id: string; key: string };
    const [first, second] = [await make(3600), await make(60)];
    const agents = [first, second].map(({ key }) => new RawAgent(endpoint, key));
    shown.push(first.key, second.key);
    for (const one of agents) await assertServes(await one.open());
    const refusal = { status: 401, code: 'auth.invalid_token', rpc: 4010 };
    const tryAgain = (one: RawAgent | undefined) => (canary: string) => rig.http(one ?? agent, { body: JSON.stringify(echoCall(canary)) });
    assert.equal((await rig.gateway.admin('DELETE', `/keys/${first.id}`)).status, 200);
    challengeOf(await rig.refused('revoked', refusal, tryAgain(agents[0])), 'invalid_token');
    aheadMs += 61_000;
    challengeOf(await rig.refused('expired', refusal, tryAgain(agents[1])), 'invalid_token');
    const [, id = '', secret = ''] = /^(cst_.*_)(.*)$/.exec(first.key) ?? [];
    for (const key of [`${id}${secret.split('').reverse().join('')}`, `cst_key_AAAA_${secret}`, 'cst_', 'cst__', `${first.key}x`])
      challengeOf(await rig.refused(key, refusal, (canary) => callWith(key, canary)), 'invalid_token');
    await assertServes(agent);
  });

  test('a rotated key is learnt, and a withdrawn one is dead once keys are too old', async () => {
    const before = await idp.sign(claims());
    assert.equal((await callWith(before, 'x')).status, 404);
    const old = idp.keys[0];
    assert.ok(old !== undefined);
    const fresh = newTestKey();
    idp.publish(fresh);
    aheadMs += 31_000;
    assert.equal(
      (await callWith(await idp.sign(claims(), {}, fresh), 'x')).status,
      404,
      'another identity, so its session is not there: but it is let in',
    );
    challengeOf(
      await rig.refused('withdrawn', { status: 401, code: 'auth.invalid_token' }, (canary) => callWith(before, canary)),
      'invalid_token',
    );
    const fetches = idp.requests.filter((path) => path === '/jwks').length;
    await Promise.all(
      Array.from({ length: 50 }, async (_one, at) => callWith(await idp.sign(claims(), { kid: `flood-${String(at)}` }, old), 'x')),
    );
    assert.ok(idp.requests.filter((path) => path === '/jwks').length <= fetches + 1);
    await assertServes(agent);
  });

  test('while the provider is down its tokens are served within a bound, and then 503 says so', async () => {
    const { provider } = rig.gateway;
    const token = await provider.tokenFor('alice', { resource: endpoint, expiresInS: 40_000 });
    const late = await provider.tokenFor('alice', { resource: endpoint, expiresInS: 40_000 });
    const served = async (which: string): Promise<void> => {
      shown.push(which);
      const refreshed = new RawAgent(endpoint, which);
      refreshed.session = agent.session;
      await assertServes(refreshed);
    };
    await served(token);
    provider.pause();
    aheadMs += 700_000;
    await served(token);
    await served(late);
    const seq = await rig.lastSeq();
    aheadMs += 3_600_000;
    // The admin API has the same provider: the record is looked for once that is back.
    const answer = await callWith(token, 'beyond-the-bound');
    assert.deepEqual([answer.status, answer.json.error.code], [503, 5031]);
    assert.equal(answer.headers['www-authenticate'], undefined);
    assert.ok(Number(answer.headers['retry-after']) >= 1);
    assert.equal((await callWith(await idp.sign(claims(), {}, idp.keys[0]), 'x')).status, 404, 'the other issuer is not touched by it');
    provider.resume();
    aheadMs += 31_000;
    await served(token);
    const records = await rig.recordsAfter(seq);
    assert.equal(records.filter((record) => record.event?.code === 'auth.issuer_down').length, 1);
    assert.ok(!rig.upstream.bytes().includes('beyond-the-bound'));
  });

  test('no credential that was shown is in anything that the gateway wrote or sent', async () => {
    process.env['CASTELLAN_CANARY'] = 'canary-of-the-environment';
    const token = await rig.gateway.token();
    shown.push(token);
    const last = new RawAgent(endpoint, token);
    last.session = agent.session;
    const environment = await last.call('get-env');
    const childSaw = environment.result.content[0].text as string;
    assert.match(childSaw, /PATH/);
    await rig.gateway.records();
    const database = readdirSync(rig.gateway.folder).filter((name) => name.startsWith('castellan.db'));
    assert.ok(database.length >= 1);
    const sinks: Record<string, string> = {
      upstream: rig.upstream.bytes(),
      'the environment of a child': childSaw,
      log: logged,
      audit: JSON.stringify(await rig.gateway.records()),
      metrics: await (await fetch(`${rig.gateway.url}/metrics`)).text(),
      readiness: await (await fetch(`${rig.gateway.url}/readyz`)).text(),
      ...Object.fromEntries(database.map((name) => [name, readFileSync(join(rig.gateway.folder, name)).toString('latin1')])),
    };
    assert.ok(logged.length > 1000 && (sinks['audit']?.length ?? 0) > 1000);
    const secrets = [...new Set(shown)].filter((text) => text.length > 16).flatMap((text) => [text, text.split('.')[2] ?? text]);
    for (const [name, text] of Object.entries(sinks))
      for (const secret of secrets) assert.ok(secret.length < 16 || !text.includes(secret), `${secret.slice(0, 12)}… is in ${name}`);
    assert.ok(!/authorization/i.test(sinks['upstream'] ?? ''));
    assert.ok(!childSaw.includes('canary-of-the-environment') && !/CASTELLAN/.test(childSaw));
    assert.ok(!(sinks['upstream'] ?? '').includes(agent.session ?? ''), 'nor is the session id');
  });
});
