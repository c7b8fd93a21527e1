import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGatewayFixture, type GatewayFixture } from '../support/gateway.ts';
import { npm, programs } from './tools.ts';

/** What one real server is asked: what a person of the group may use of it, a call that is allowed and one that a rule refuses. */
export interface Question {
  readonly granted: readonly string[];
  readonly tool: string;
  readonly allowed: Readonly<Record<string, unknown>>;
  /** What the answer to the allowed call says. */
  readonly says: RegExp;
  readonly denied: Readonly<Record<string, unknown>>;
}

/** The words of the test's own rule, as an agent gets them. */
export const refusal = /arguments with `forbidden` are refused here/;

export interface RealServers {
  readonly gateway: GatewayFixture;
  readonly questions: Readonly<Record<string, Question>>;
  close(): Promise<void>;
}

const shipped = fileURLToPath(new URL('../../policies', import.meta.url));

const rule = `# METADATA
# title: What is forbidden is refused
package rules.test.forbidden

deny contains {"message": "arguments with \`forbidden\` are refused here", "hint": "say something else"} if {
	input.phase == "call"
	some path, value
	walk(input.arguments, [path, value])
	is_string(value)
	contains(value, "forbidden")
}
`;

/**
 * The gateway with the shipped policy, a rule of the test's own, and real servers behind it, each at an endpoint of its name.
 * @param names which servers
 */
export async function startRealServers(names: readonly string[]): Promise<RealServers> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-clients-'));
  const files = join(folder, 'files');
  const repository = join(folder, 'repository');
  await mkdir(files);
  await writeFile(join(files, 'note.txt'), 'a note in a file');
  if (names.includes('git')) makeRepository(repository);
  const web = names.includes('fetch') ? await startWeb() : undefined;
  const questions = questionsOf(repository, web?.url ?? '');
  const node = JSON.stringify(process.execPath);
  const stdio: Readonly<Record<string, string>> = {
    files: `{ command: ${node}, args: ["${npm.filesystem}", "."], cwd: "${files}" }`,
    memory: `{ command: ${node}, args: ["${npm.memory}"], env: { MEMORY_FILE_PATH: "${join(folder, 'memory.jsonl')}" } }`,
    thinking: `{ command: ${node}, args: ["${npm.thinking}"], env: { DISABLE_THOUGHT_LOGGING: "true" } }`,
    everything: `{ command: ${node}, args: ["${npm.everything}", stdio] }`,
    time: `{ command: "${programs.timeServer}", args: ["--local-timezone", "UTC"] }`,
    git: `{ command: "${programs.gitServer}", args: ["--repository", "${repository}"] }`,
    fetch: `{ command: "${programs.fetchServer}", args: ["--ignore-robots-txt", "--allow-private-ips"] }`,
  };
  const gateway = await startGatewayFixture({
    upstreams: names.map((name) => `  ${name}: { stdio: ${stdio[name] ?? ''}, labels: [read] }`).join('\n'),
    endpoints: names.map((name) => `  ${name}: { upstreams: [{ name: ${name} }] }`).join('\n'),
    policy: { folder: await writePolicies(folder, questions) },
    policySettings: 'run_tests: false, deadline_ms: 2000',
    start: async (setup) => {
      const { application } = await import('../../src/app.ts');
      return application.startGateway(setup);
    },
  });
  await allReady(gateway);
  return {
    gateway,
    questions,
    async close() {
      await gateway.close();
      web?.server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A gateway does not wait for slow servers; a test that lists their tools does. */
async function allReady(gateway: GatewayFixture): Promise<void> {
  const endMs = Date.now() + 60_000;
  for (;;) {
    const { servers } = (await gateway.admin('GET', '/catalogue')).body as { servers: { name: string; state: string; error?: string }[] };
    const waiting = servers.filter(({ state }) => state !== 'ready');
    if (waiting.length === 0) return;
    if (Date.now() > endMs) throw new Error(`not ready: ${JSON.stringify(waiting)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function writePolicies(folder: string, questions: Readonly<Record<string, Question>>): Promise<string> {
  const policies = join(folder, 'policies');
  await cp(shipped, policies, { recursive: true });
  await mkdir(join(policies, 'rules', 'test'));
  await writeFile(join(policies, 'rules', 'test', 'forbidden.rego'), rule);
  const path = join(policies, 'data.json');
  const data = JSON.parse(await readFile(path, 'utf8')) as { servers: unknown; grants: unknown };
  const each = <T>(of: (question: Question) => T): Record<string, T> =>
    Object.fromEntries(Object.entries(questions).map(([name, question]) => [name, of(question)]));
  data.servers = each(() => ({ trust_annotations: false, read_only_for: 'granted', may_ask: {} }));
  data.grants = { engineering: each(({ granted }) => ({ tools: Object.fromEntries(granted.map((tool) => [tool, true])) })) };
  await writeFile(path, JSON.stringify(data));
  return policies;
}

function questionsOf(repository: string, web: string): Readonly<Record<string, Question>> {
  return {
    files: {
      granted: ['list_directory', 'read_text_file'],
      tool: 'read_text_file',
      allowed: { path: 'note.txt' },
      says: /a note in a file/,
      denied: { path: 'forbidden.txt' },
    },
    memory: {
      granted: ['read_graph', 'search_nodes'],
      tool: 'search_nodes',
      allowed: { query: 'nothing' },
      says: /"entities": \[\]/,
      denied: { query: 'forbidden' },
    },
    thinking: {
      granted: ['sequentialthinking'],
      tool: 'sequentialthinking',
      allowed: { thought: 'so', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
      says: /"thoughtNumber": 1/,
      denied: { thought: 'forbidden', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
    },
    everything: {
      granted: ['echo', 'get-sum'],
      tool: 'echo',
      allowed: { message: 'hello' },
      says: /Echo: hello/,
      denied: { message: 'forbidden' },
    },
    time: {
      granted: ['get_current_time'],
      tool: 'get_current_time',
      allowed: { timezone: 'UTC' },
      says: /"timezone": "UTC"/,
      denied: { timezone: 'forbidden' },
    },
    git: {
      granted: ['git_log', 'git_status'],
      tool: 'git_status',
      allowed: { repo_path: repository },
      says: /nothing to commit|working tree clean/,
      denied: { repo_path: join(repository, 'forbidden') },
    },
    fetch: {
      granted: ['fetch'],
      tool: 'fetch',
      // Without `raw` the server runs `npm install` the first time it sees a page.
      allowed: { url: `${web}/page`, raw: true },
      says: /a page of this machine/,
      denied: { url: `${web}/forbidden` },
    },
  };
}

function makeRepository(path: string): void {
  const git = (...args: string[]): void =>
    void execFileSync('git', ['-C', path, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { stdio: 'pipe' });
  execFileSync('git', ['init', '-q', path], { stdio: 'pipe' });
  git('commit', '-q', '--allow-empty', '-m', 'first');
}

async function startWeb(): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer((request, response) => {
    const known = request.url === '/page';
    response.writeHead(known ? 200 : 404, { 'content-type': 'text/html' });
    response.end(known ? '<html><body><article><h1>Title</h1><p>a page of this machine</p></article></body></html>' : 'none');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
