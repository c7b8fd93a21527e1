import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { nearest } from '../../src/config/nearest.ts';
import { fitsPattern } from '../../src/config/tool-pattern.ts';
import { isLoopbackHost, urlProblem } from '../../src/config/url-rule.ts';

describe('the nearest name', () => {
  const rows: readonly [string, readonly string[], string | undefined][] = [
    ['publicUrl', ['public_url', 'port'], 'public_url'],
    ['lables', ['labels', 'tools'], 'labels'],
    ['htpt', ['http', 'sse'], 'http'],
    ['database', ['sqlite', 'postgres'], undefined],
    ['b', ['a'], undefined],
    ['x', [], undefined],
  ];
  for (const [name, names, wanted] of rows) it(`to \`${name}\` is ${wanted ?? 'none'}`, () => assert.equal(nearest(name, names), wanted));
});

describe('a tool pattern', () => {
  it('is what the regular expression with `.*` for `*` is', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 });
    fc.assert(
      fc.property(text, text, (name, pattern) => {
        const expression = new RegExp(
          `^${pattern
            .split('*')
            .map((part) => part.replaceAll('.', '\\.'))
            .join('.*')}$`,
          's',
        );
        assert.equal(fitsPattern(name, pattern), expression.test(name));
      }),
    );
  });
});

describe('loopback', () => {
  for (const host of ['localhost', 'a.localhost', '127.0.0.1', '127.9.9.9', '::1', '[::1]'])
    it(`is ${host}`, () => assert.ok(isLoopbackHost(host)));
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.com', 'localhost.example.com', 'xlocalhost'])
    it(`is not ${host}`, () => assert.ok(!isLoopbackHost(host)));
});

describe('a URL', () => {
  it('is accepted as an issuer as it stands, path and slash included', () => {
    for (const text of ['https://idp.example', 'https://idp.example/', 'https://idp.example/realms/a', 'http://localhost:9000'])
      assert.equal(urlProblem(text, 'https'), undefined);
  });
});
