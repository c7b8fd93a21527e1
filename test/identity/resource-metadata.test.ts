import { test } from 'node:test';
import assert from 'node:assert/strict';
import { challenge, resourceMetadata, resourceMetadataUrl } from '../../src/identity/resource-metadata.ts';
import { GatewayError } from '../../src/model/errors.ts';

test('the metadata document names the resource exactly as people type it', () => {
  assert.deepEqual(
    resourceMetadata({
      resource: 'https://gateway.example/mcp/support',
      authorizationServers: ['https://idp.example'],
      scopes: ['mcp:tools', 'offline_access'],
    }),
    {
      resource: 'https://gateway.example/mcp/support',
      authorization_servers: ['https://idp.example'],
      scopes_supported: ['mcp:tools'],
      bearer_methods_supported: ['header'],
    },
  );
});

test('the well-known segment goes between host and path', () => {
  const rows = [
    ['https://gateway.example/mcp/support', 'https://gateway.example/.well-known/oauth-protected-resource/mcp/support'],
    ['https://gateway.example', 'https://gateway.example/.well-known/oauth-protected-resource'],
    ['http://127.0.0.1:8080/mcp', 'http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp'],
  ] as const;
  for (const [resource, expected] of rows) assert.equal(resourceMetadataUrl(resource), expected);
});

test('challenges say what RFC 6750 and MCP ask for', () => {
  const context = { resourceMetadataUrl: 'https://g.example/.well-known/oauth-protected-resource/mcp', scopes: ['mcp:tools'] };
  const metadata = 'resource_metadata="https://g.example/.well-known/oauth-protected-resource/mcp"';
  assert.equal(challenge(new GatewayError('auth.required', 'send a token'), context), `Bearer scope="mcp:tools", ${metadata}`);
  assert.equal(
    challenge(new GatewayError('auth.invalid_token', 'the token has expired'), context),
    `Bearer error="invalid_token", error_description="the token has expired", scope="mcp:tools", ${metadata}`,
  );
  assert.equal(
    challenge(new GatewayError('auth.insufficient_scope', 'more', { detail: { scopes: ['mcp:tools', 'mcp:write'] } }), context),
    `Bearer error="insufficient_scope", error_description="more", scope="mcp:tools mcp:write", ${metadata}`,
  );
  assert.equal(challenge(new GatewayError('auth.issuer_down', 'later'), context), undefined);
});

test('nothing in a message can break out of the header', () => {
  const value = challenge(new GatewayError('auth.invalid_token', 'a"b\\c\r\nSet-Cookie: x=1 ü'), {
    resourceMetadataUrl: 'https://g.example/',
  });
  assert.equal(value, `Bearer error="invalid_token", error_description="a'b'c??Set-Cookie: x=1 ?", resource_metadata="https://g.example/"`);
});
