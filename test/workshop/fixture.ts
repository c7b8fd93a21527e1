import { entrypoints } from '../../src/model/decision.ts';
import type { Identity } from '../../src/model/identity.ts';
import type { Digest, ReleaseId, TenantId } from '../../src/model/ids.ts';
import type { ToolFacts } from '../../src/model/input.ts';
import type { JsonObject } from '../../src/model/json.ts';
import type { ActiveRelease } from '../../src/model/ports.ts';
import { workerUrl } from '../../src/model/worker-url.ts';
import { createPolicyEngine } from '../../src/policy/pool.ts';
import type { Opa } from '../../src/rego/opa.ts';
import { readPolicySource } from '../../src/release/policy-source.ts';

/** The shipped policy's way of combining, with rules and data of the test's own. */
export async function filesWith(rules: Readonly<Record<string, string>>, data: object = {}): Promise<Record<string, string>> {
  const { files } = await readPolicySource(new URL('../../policies', import.meta.url).pathname, undefined);
  const combining = Object.entries(files).filter(([name]) => name.startsWith('gateway/'));
  return { ...Object.fromEntries(combining), ...rules, 'data.json': JSON.stringify(data) };
}

/** A rule file `rules/<topic>/<rule>.rego`. */
export function rule(path: string, body: string): Record<string, string> {
  return { [`rules/${path}.rego`]: `package rules.${path.replace('/', '.')}\n\nabout := rego.metadata.chain()\n\n${body}\n` };
}

export async function releaseOf(opa: Opa, files: Readonly<Record<string, string>>): Promise<ActiveRelease> {
  const built = await opa.build({ files, entrypoints });
  const builtins = {
    names: (await opa.version()).builtins,
    callerUrl: workerUrl(import.meta.url, '../../src/rego/builtins').href,
    module: await opa.module(),
  };
  const module = await WebAssembly.compile(built.wasm);
  const engine = await createPolicyEngine({
    module,
    dataJson: built.data,
    spares: 0,
    ...(built.hostBuiltins.length === 0 ? {} : { builtins }),
  });
  return {
    id: 'test@0' as ReleaseId,
    digest: `sha256:${'1'.repeat(64)}` as Digest,
    commit: null,
    loadedAtMs: 0,
    engine,
    reads: () => new Map([['identity', new Set(['groups', 'kind'])]]),
  };
}

export const identity: Identity = {
  issuer: 'https://idp.example',
  subject: 'u-17',
  client: 'agent',
  kind: 'user',
  tenant: 'acme' as TenantId,
  groups: ['staff'],
  scopes: [],
  claims: {},
  auth: { method: 'oidc', issuedAtMs: 0, expiresAtMs: 1 },
  onBehalfOf: null,
};

export function factsOf(server: string, name: string, more: Partial<ToolFacts> = {}): ToolFacts {
  return {
    server,
    name,
    exposed_name: name,
    annotations: {},
    labels: ['write'],
    definition_digest: `sha256:${'0'.repeat(64)}`,
    pinned: true,
    ...more,
  };
}

export function definitionOf(name: string, properties: JsonObject, required: readonly string[] = []): JsonObject {
  return { name, inputSchema: { type: 'object', properties, required } };
}

export const environmentJson = '{"name":"test","labels":{}}';
