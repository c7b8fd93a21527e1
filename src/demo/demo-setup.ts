import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startIdentityProvider, type IdentityProvider } from './identity-provider.ts';

/** Where the demo's files are, and what it started beside the gateway. */
export interface DemoSetup {
  readonly folder: string;
  readonly policyFolder: string;
  readonly configPath: string;
  readonly url: string;
  readonly endpoint: string;
  readonly adminAudience: string;
  readonly provider: IdentityProvider;
  close(): Promise<void>;
}

const require = createRequire(import.meta.url);

/** The people of the demo. */
export const demoUsers = [
  { subject: 'alice', groups: ['engineering'], name: 'Alice, an engineer' },
  { subject: 'bob', groups: ['support'], name: 'Bob, of support' },
  { subject: 'sofia', groups: ['security'], name: 'Sofia, of security' },
];

/** A token in the shape of a cloud provider's, made here so that no text of the project looks like a secret. */
export function sampleSecret(): string {
  return ['ghp', 'x7Kq2mVw9RtB4nZc8LsD1fHj6PgY3aUeQ5oT'].join('_');
}

/** Writes the scratch folders and the configuration, and starts the identity provider and the HTTP upstream. */
export async function setUpDemo(port: number): Promise<DemoSetup> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-demo-'));
  const files = join(folder, 'files');
  const policyFolder = join(folder, 'policies');
  const root = new URL('../../', import.meta.url).pathname;
  await cp(join(root, 'policies'), policyFolder, { recursive: true });
  await cp(join(root, 'policy-tests'), join(folder, 'policy-tests'), { recursive: true });
  await mkdir(join(files, 'private'), { recursive: true });
  await writeFile(join(files, 'welcome.md'), '# Welcome\n\nThis folder is served by the filesystem server.\n');
  await writeFile(join(files, 'ticket.txt'), `From: erin.walker@example.com\nThe deploy fails with token ${sampleSecret()}\n`);
  await writeFile(join(files, 'private', 'salaries.csv'), 'name,salary\nerin,91000\n');
  const gatewayPort = port === 0 ? await freePort() : port;
  const everythingPort = await freePort();
  const url = `http://127.0.0.1:${gatewayPort}`;
  const endpoint = `${url}/mcp/demo`;
  const adminAudience = `${url}/admin`;
  const provider = await startIdentityProvider({ users: demoUsers, resources: [endpoint, adminAudience] });
  const everything = await startEverything(everythingPort);
  const configPath = join(folder, 'castellan.yaml');
  await writeFile(configPath, configText({ port: gatewayPort, url, issuer: provider.issuer, adminAudience, everythingPort, files, root }));
  return {
    folder,
    policyFolder,
    configPath,
    url,
    endpoint,
    adminAudience,
    provider,
    async close() {
      everything.kill('SIGTERM');
      await provider.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A server's program in its installed package. */
function serverOf(name: string): string {
  return join(dirname(require.resolve(`@modelcontextprotocol/server-${name}/package.json`)), 'dist', 'index.js');
}

async function startEverything(port: number): Promise<ChildProcessByStdio<null, null, Readable>> {
  const child = spawn(process.execPath, [serverOf('everything'), 'streamableHttp'], {
    env: { PATH: process.env['PATH'], PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) throw new Error(`the everything server ended: ${said}`);
    try {
      await fetch(`http://127.0.0.1:${port}/mcp`, { method: 'DELETE' });
      return child;
    } catch {
      // Not listening yet: it takes a second or two to come up.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`the everything server does not listen: ${said}`);
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

interface ConfigFacts {
  readonly port: number;
  readonly url: string;
  readonly issuer: string;
  readonly adminAudience: string;
  readonly everythingPort: number;
  readonly files: string;
  readonly root: string;
}

function configText(facts: ConfigFacts): string {
  const q = JSON.stringify;
  return `version: 1
listen: { host: 127.0.0.1, port: ${facts.port}, public_url: ${q(facts.url)} }
environment: { name: demo }
issuers:
  - issuer: ${q(facts.issuer)}
    audience: endpoint
    algorithms: [ES256]
    required_scopes: [mcp:tools]
admin:
  issuer: ${q(facts.issuer)}
  audience: ${q(facts.adminAudience)}
  roles: { approver: [security], auditor: [security], operator: [security] }
  login: { client_id: castellan, scopes: [mcp:tools] }
upstreams:
  files:
    stdio: { command: ${q(process.execPath)}, args: [${q(serverOf('filesystem'))}, ${q(facts.files)}], cwd: ${q(facts.files)} }
    pinning: first_seen
  everything:
    http: { url: "http://127.0.0.1:${facts.everythingPort}/mcp" }
    pinning: first_seen
    tools:
      echo: { labels: [egress] }
  memory:
    stdio: { command: ${q(process.execPath)}, args: [${q(serverOf('memory'))}], env: { MEMORY_FILE_PATH: ${q(join(facts.files, '..', 'memory.jsonl'))} } }
    pinning: first_seen
endpoints:
  demo:
    upstreams: [{ name: files }, { name: everything }, { name: memory }]
    variants:
      - upstream: files
        tool: read_text_file
        as: read_first_lines
        description: The first ten lines of a text file.
        pin: { head: 10 }
policy: { path: policies, tests: policy-tests, cache_dir: ${q(join(facts.root, '.castellan', 'demo-cache'))} }
store: { sqlite: { path: castellan.db } }
log: { level: warn }
`;
}
