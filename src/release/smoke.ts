import type { Entrypoint } from '../model/decision.ts';
import type { Input } from '../model/input.ts';
import { rawNumber } from '../model/json.ts';
import type { PolicyEngine } from '../model/ports.ts';

const deadlineMs = 5_000;

/**
 * Asks each entrypoint once, about a call that nobody may make, and gives the first fault in words. It finds what compiling cannot: a rule that
 * conflicts, a builtin that ends, an answer of the wrong shape; and it warms the engine.
 */
export async function smokeTest(engine: PolicyEngine, entries: readonly Entrypoint[]): Promise<string | undefined> {
  for (const entry of entries) {
    const phase = entry === 'gateway/mask' ? 'call' : (entry.slice('gateway/'.length) as Input['phase']);
    const evaluation = await engine.evaluate(entry as 'gateway/call', JSON.stringify(strangersCall(phase)), deadlineMs);
    if (!evaluation.ok) return `\`${entry}\` gives no answer (${evaluation.fault}): ${evaluation.message}`;
  }
  return undefined;
}

function strangersCall(phase: Input['phase']): Input {
  const tool = {
    server: 'none',
    name: 'none',
    exposed_name: 'none',
    annotations: {},
    labels: [],
    definition_digest: `sha256:${'0'.repeat(64)}`,
    pinned: false,
  };
  return {
    version: 1,
    phase,
    at: '2026-01-01T00:00:00.000Z',
    at_ns: rawNumber('1767225600000000000'),
    request: { id: 'call_smoke', method: 'tools/call', endpoint: 'none', protocol_version: '2025-11-25', ip: '127.0.0.1', user_agent: '' },
    identity: {
      issuer: 'https://nobody.invalid',
      subject: 'nobody',
      client: 'none',
      kind: 'user',
      tenant: 'default',
      groups: [],
      scopes: [],
      claims: {},
      auth: { method: 'oidc', age_s: 0 },
      on_behalf_of: null,
    },
    target: { kind: 'tool', server: 'none', name: 'none' },
    tool,
    arguments: {},
    findings: [],
    history: [],
    session: { id: 'none', started_at: '2026-01-01T00:00:00.000Z', calls: 0, denied: 0, labels: [] },
    usage: { calls_1m: 0, calls_1h: 0, same_call_1m: 0 },
    approval: null,
    ...(phase === 'result' ? { result: { content: [] } } : {}),
    ...(phase === 'list' ? { tools: [tool], items: [] } : {}),
    environment: { name: 'smoke', labels: {} },
  };
}
