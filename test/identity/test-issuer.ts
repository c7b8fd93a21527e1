import { generateKeyPairSync, randomBytes, type JsonWebKey, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT, type JWTHeaderParameters } from 'jose';

/** A key pair of a test issuer, with what it publishes. */
export interface TestKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly jwk: JsonWebKey;
}

export function newTestKey(alg: 'ES256' | 'RS256' | 'EdDSA' = 'ES256', kid = randomBytes(6).toString('hex')): TestKey {
  const pair =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : alg === 'RS256'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ed25519');
  return { kid, alg, privateKey: pair.privateKey, jwk: { ...pair.publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } };
}

/** An issuer over real HTTP whose every answer a test can set: for tokens and documents that no honest provider would issue. */
export interface TestIssuer {
  readonly issuer: string;
  readonly keys: TestKey[];
  /** What is served, by path; a string is sent as it is. */
  readonly documents: Map<string, unknown>;
  /** Paths asked for, in order. */
  readonly requests: string[];
  up: boolean;
  publish(...keys: TestKey[]): void;
  sign(claims: Record<string, unknown>, header?: Partial<JWTHeaderParameters>, key?: TestKey): Promise<string>;
  close(): Promise<void>;
}

export async function startTestIssuer(path = ''): Promise<TestIssuer> {
  const documents = new Map<string, unknown>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    const document = documents.get(request.url ?? '');
    if (!issuer.up) request.socket.destroy();
    else if (typeof document === 'function') (document as (res: typeof response) => void)(response);
    else if (document === undefined) response.writeHead(404).end('nothing here');
    else
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(typeof document === 'string' ? document : JSON.stringify(document));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const keys: TestKey[] = [];
  const issuer: TestIssuer = {
    issuer: `${origin}${path}`,
    keys,
    documents,
    requests,
    up: true,
    publish(...published) {
      keys.splice(0, keys.length, ...published);
      documents.set('/jwks', { keys: published.map((key) => key.jwk) });
    },
    async sign(claims, header = {}, key = keys[0]!) {
      return await new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header }).sign(key.privateKey);
    },
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
  documents.set(`/.well-known/oauth-authorization-server${path}`, { issuer: issuer.issuer, jwks_uri: `${origin}/jwks` });
  issuer.publish(newTestKey());
  return issuer;
}

export const audience = 'https://gateway.example/mcp/support';

/** A clock that a test moves. Starts at a whole second. */
export function testClock(startMs = 1_800_000_000_000): { nowMs(): number; advanceS(seconds: number): void } {
  let nowMs = startMs;
  return { nowMs: () => nowMs, advanceS: (seconds) => void (nowMs += seconds * 1000) };
}

/** The claims of an ordinary access token at `nowMs`. */
export function claimsAt(issuer: string, nowMs: number, extra: Record<string, unknown> = {}): Record<string, unknown> {
  const nowS = nowMs / 1000;
  return { iss: issuer, sub: 'alice', aud: audience, client_id: 'agent-1', iat: nowS, exp: nowS + 3600, scope: 'mcp:tools', ...extra };
}
