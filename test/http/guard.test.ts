import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import express from 'express';
import request from 'supertest';
import { guard } from '../../src/http/guard.ts';

const refused: string[] = [];
const hosts = new Set(['gateway.example', 'localhost:8080']);
const origins = new Set(['https://console.example']);

const app = express();
app.use(guard({ allowedHosts: () => hosts, allowedOrigins: () => origins, onRefusal: (error) => void refused.push(error.code) }));
app.use((_request, response) => void response.json({ reached: true }));

before(() => void refused.splice(0));
after(() => hosts.delete('added.example'));

test('a host of the list passes, in any case; every other is refused with 403 before anything else', async () => {
  for (const host of ['gateway.example', 'GATEWAY.example', 'localhost:8080'])
    assert.equal((await request(app).get('/').set('host', host)).status, 200, host);
  for (const host of [
    'evil.example',
    'localhost',
    'localhost:8081',
    'gateway.example.',
    'gateway.example:80',
    'gateway.example.evil',
    'xgateway.example',
    'user@gateway.example',
    '[::1]',
  ]) {
    const answer = await request(app).get('/').set('host', host);
    assert.deepEqual([answer.status, answer.body.error.code, refused.pop()], [403, -32600, 'http.host'], host);
  }
});

test('an origin must be listed exactly; none at all is no browser', async () => {
  const asked = (origin: string): request.Test => request(app).get('/').set('host', 'gateway.example').set('origin', origin);
  const good = await asked('https://console.example');
  assert.equal(good.status, 200);
  assert.equal(good.headers['access-control-allow-origin'], 'https://console.example');
  assert.equal(good.headers['vary'], 'origin');
  assert.equal(good.headers['access-control-expose-headers'], 'mcp-session-id, mcp-protocol-version, www-authenticate');
  for (const origin of [
    'http://console.example',
    'https://console.example:8443',
    'https://console.example.evil',
    'https://evil.example',
    'null',
    '',
    'https://console.example/',
  ]) {
    const answer = await asked(origin);
    assert.deepEqual([answer.status, refused.pop()], [403, 'http.origin'], origin);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  }
});

test('a preflight of a listed origin is answered here', async () => {
  const answer = await request(app).options('/x').set('host', 'gateway.example').set('origin', 'https://console.example');
  assert.equal(answer.status, 204);
  assert.equal(answer.headers['access-control-allow-methods'], 'GET, POST, DELETE');
  assert.equal(answer.headers['access-control-max-age'], '600');
  assert.equal(answer.headers['access-control-allow-credentials'], undefined, 'no cookie means anything here');
});

test('a list that changes is looked at afresh', async () => {
  assert.equal((await request(app).get('/').set('host', 'added.example')).status, 403);
  hosts.add('added.example');
  assert.equal((await request(app).get('/').set('host', 'added.example')).status, 200);
});
