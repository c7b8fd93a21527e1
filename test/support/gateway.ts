import { mkdtemp, rm, writeFile, cp, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { application } from '../../src/app.ts';
import type { RunningGateway } from '../../src/cli/application.ts';
import { freePort } from '../../src/demo/demo-setup.ts';
import { startIdentityProvider, type DemoUser, type IdentityProvider } from '../../src/demo/identity-provider.ts';
import type { AuditRecord } from '../../src/model/audit-record.ts';

export interface GatewayFixtureOptions {
  /** YAML of `upstreams`, indented by two. */
  readonly upstreams: string;
  /** YAML of `endpoints`, indented by two; default: `main` with all that `upstreams` names first. */
  readonly endpoints?: string;
  /** Further top-level YAML. */
  readonly extra?: string;
  /** Rego files, path to text; or a folder that is copied. Default: everything is allowed. */
  readonly policy?: Readonly<Record<string, string>> | { readonly folder: string };
  readonly users?: readonly DemoUser[];
  readonly store?: string;
  /** More of `listen`, such as `allowed_origins: [...]`. */
  readonly listen?: string;
  /** YAML of further issuers, a line each, indented by two. */
  readonly issuers?: string;
  /** Members of `policy`, beside its folders. Default: tests do not run. */
  readonly policySettings?: string;
  /** YAML: the groups that may vote at the admin API. Default: security. */
  readonly approvers?: string;
  /** Where compiled releases are kept. Default: shared by all fixtures, so that a policy is compiled once. */
  readonly cacheDir?: string;
  /** What starts the gateway. Default: this process. */
  readonly start?: (options: { readonly configPath: string; readonly env: NodeJS.ProcessEnv }) => Promise<RunningGateway>;
  /** Default: errors only. */
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error';
}

/** A running gateway with a provider of its own, in a scratch folder. */
export interface GatewayFixture {
  readonly url: string;
  readonly folder: string;
  readonly policyFolder: string;
  readonly configPath: string;
  readonly provider: IdentityProvider;
  readonly gateway: RunningGateway;
  endpoint(name?: string): string;
  readonly adminAudience: string;
  token(subject?: string, endpoint?: string): Promise<string>;
  admin(method: string, path: string, options?: { subject?: string; body?: unknown }): Promise<{ status: number; body: any }>; // eslint-disable-line @typescript-eslint/no-explicit-any
  /** Ends the gateway and starts it again on the same data. */
  restart(): Promise<void>;
  /** The audit log, oldest first, once all that was handed over is in it. */
  records(): Promise<{ seq: number; record: AuditRecord }[]>;
  close(): Promise<void>;
}

/** Users of the fixtures: two agents' people and one approver. */
export const people: readonly DemoUser[] = [
  { subject: 'alice', groups: ['engineering'], name: 'Alice' },
  { subject: 'bob', groups: ['support'], name: 'Bob' },
  { subject: 'sofia', groups: ['security'], name: 'Sofia' },
];

/** A decision document with one effect for everything, for tests that are not about rules. */
export function flatPolicy(effect: 'allow' | 'deny', more = ''): Readonly<Record<string, string>> {
  const entry = (name: string): string =>
    `${name} := {"version": 1, "effect": "${effect}", "reasons": [{"rule": "test/flat", "effect": "${effect}", "message": "flat ${effect}"}], "redactions": [], "approval": null, "labels": [], "limits": [], "dry_run": []}\n`;
  const visible = effect === 'allow' ? '[item.name | some item in object.get(input, "items", [])]' : '[]';
  const tools = effect === 'allow' ? '[tool.exposed_name | some tool in object.get(input, "tools", [])]' : '[]';
  return {
    'gateway/gateway.rego': `package gateway\n\n${entry('call')}\n${entry('result').replaceAll('"deny"', '"allow"')}\n${entry('message')}\nlist := {"version": 1, "visible": array.concat(${tools}, ${visible})}\n${more}`,
  };
}

export async function startGatewayFixture(options: GatewayFixtureOptions): Promise<GatewayFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-test-'));
  const policyFolder = join(folder, 'policies');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const adminAudience = `${url}/admin`;
  const endpoints = options.endpoints ?? `  main: { upstreams: [{ name: ${/^\s*([\w-]+):/.exec(options.upstreams)?.[1] ?? ''} }] }`;
  const names = [...endpoints.matchAll(/^ {2}([\w-]+):/gm)].map((match) => match[1] ?? '');
  const provider = await startIdentityProvider({
    users: options.users ?? people,
    resources: [...names.map((name) => `${url}/mcp/${name}`), adminAudience],
  });
  await writePolicy(policyFolder, options.policy ?? flatPolicy('allow'));
  await mkdir(join(folder, 'policy-tests'), { recursive: true });
  const configPath = join(folder, 'castellan.yaml');
  await writeFile(
    configPath,
    `version: 1
listen: { host: 127.0.0.1, port: ${port}, public_url: "${url}"${options.listen === undefined ? '' : `, ${options.listen}`} }
issuers:
  - { issuer: "${provider.issuer}", audience: endpoint, algorithms: [ES256], required_scopes: ["mcp:tools"] }
${options.issuers ?? ''}
admin:
  issuer: "${provider.issuer}"
  audience: "${adminAudience}"
  roles: { approver: ${options.approvers ?? '[security]'}, auditor: [security], operator: [security] }
  login: { client_id: castellan, scopes: ["mcp:tools"] }
upstreams:
${options.upstreams}
endpoints:
${endpoints}
policy: { path: policies, tests: policy-tests, ${options.policySettings ?? 'run_tests: false'}, cache_dir: "${options.cacheDir ?? join(tmpdir(), 'castellan-test-cache')}" }
store: ${options.store ?? '{ sqlite: { path: castellan.db } }'}
log: { level: ${options.logLevel ?? 'error'} }
${options.extra ?? ''}
`,
  );
  const start = options.start ?? ((setup) => application.startGateway(setup));
  let gateway: RunningGateway;
  try {
    gateway = await start({ configPath, env: process.env });
  } catch (error) {
    await provider.close();
    throw error;
  }
  const fixture: GatewayFixture = {
    url,
    folder,
    policyFolder,
    configPath,
    provider,
    get gateway() {
      return gateway;
    },
    adminAudience,
    endpoint: (name = names[0] ?? '') => `${url}/mcp/${name}`,
    token: (subject = 'alice', endpoint = names[0] ?? '') => provider.tokenFor(subject, { resource: `${url}/mcp/${endpoint}` }),
    async admin(method, path, { subject = 'sofia', body } = {}) {
      const token = await provider.tokenFor(subject, { resource: adminAudience });
      const headers: Record<string, string> = { authorization: `Bearer ${token}` };
      if (body !== undefined) headers['content-type'] = 'application/json';
      const response = await fetch(`${url}/admin/v1${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.json() };
    },
    async records() {
      const { body } = await fixture.admin('GET', '/audit?limit=1000');
      return (body as { seq: number; record: AuditRecord }[]).sort((a, b) => a.seq - b.seq);
    },
    async restart() {
      await gateway.close();
      gateway = await start({ configPath, env: process.env });
    },
    async close() {
      await gateway.close();
      await provider.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return fixture;
}

export async function writePolicy(target: string, policy: Readonly<Record<string, string>> | { readonly folder: string }): Promise<void> {
  if ('folder' in policy && typeof policy.folder === 'string' && !policy.folder.endsWith('.rego')) {
    await cp(policy.folder, target, { recursive: true });
    return;
  }
  for (const [path, text] of Object.entries(policy as Record<string, string>)) {
    await mkdir(join(target, path, '..'), { recursive: true });
    await writeFile(join(target, path), text);
  }
}

/** A raw agent: speaks Streamable HTTP by hand, so that a test can send what no client would. */
export class RawAgent {
  readonly url: string;
  readonly token: string | undefined;
  session: string | undefined;
  #nextId = 1;

  constructor(url: string, token: string | undefined) {
    this.url = url;
    this.token = token;
  }

  async open(version = '2025-11-25', capabilities: object = {}): Promise<this> {
    const answer = await this.post({
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { protocolVersion: version, capabilities, clientInfo: { name: 'raw', version: '1' } },
    });
    if (answer.status !== 200 || answer.json?.result === undefined) throw new Error(`no session: ${answer.status} ${answer.text}`);
    this.session = answer.headers.get('mcp-session-id') ?? undefined;
    await this.post({ jsonrpc: '2.0', method: 'notifications/initialized' });
    return this;
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async post(body: unknown, headers: Record<string, string> = {}): Promise<{ status: number; headers: Headers; text: string; json: any }> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
        ...(this.session === undefined ? {} : { 'mcp-session-id': this.session }),
        ...headers,
      },
      body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
    });
    const text = await response.text();
    const data = response.headers.get('content-type')?.startsWith('text/event-stream') === true ? lastData(text) : text;
    return { status: response.status, headers: response.headers, text, json: parse(data) };
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async request(method: string, params?: unknown): Promise<any> {
    const id = this.#nextId++;
    const answer = await this.post({ jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) });
    return answer.json;
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async call(name: string, args: unknown = {}): Promise<any> {
    return this.request('tools/call', { name, arguments: args });
  }
}

function lastData(text: string): string {
  const frames = text.split('\n').filter((line) => line.startsWith('data: ') && line.length > 6);
  return frames.at(-1)?.slice('data: '.length) ?? '';
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
function parse(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    // An empty or non-JSON answer: the test looks at the text.
    return undefined;
  }
}
