import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import type { KeyRow, Verification } from '../../src/cli/application.ts';
import type { Approval } from '../../src/model/approval.ts';
import type { AuditRecord } from '../../src/model/audit-record.ts';
import { newBrowser } from '../identity/browser.ts';
import { RawAgent, startGatewayFixture, type GatewayFixture } from '../support/gateway.ts';
import { castellan, RunningCommand, type Ended } from './castellan.ts';

const filesystem = join(
  dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/server-filesystem/package.json')),
  'dist',
  'index.js',
);
const escape = '\u001b[31m';

let gateway: GatewayFixture;
const undo: (() => Promise<void>)[] = [];
let alice: RawAgent;
let home = '';

before(async () => {
  gateway = await startGatewayFixture({
    upstreams: `  files: { stdio: { command: ${JSON.stringify(process.execPath)}, args: [${JSON.stringify(filesystem)}, .], cwd: . }, pinning: first_seen }`,
    policy: { folder: fileURLToPath(new URL('../../policies', import.meta.url)) },
    extra: 'api_keys: { max_lifetime_days: 30, default_lifetime_days: 30 }',
  });
  undo.push(() => gateway.close());
  home = join(gateway.folder, 'home');
  alice = await new RawAgent(gateway.endpoint(), await gateway.token('alice')).open();
});
after(async () => {
  for (const step of undo) await step();
});

/** A command of whoever signed in last. */
function signedIn(...args: string[]): Promise<Ended> {
  return castellan(args, { env: { XDG_CONFIG_HOME: home } });
}

async function value<Answer>(...args: string[]): Promise<Answer> {
  const { code, stdout, stderr } = await signedIn(...args, '--json');
  assert.deepEqual([code, stderr], [0, ''], stdout);
  return JSON.parse(stdout) as Answer;
}

/** Has a call held; gives the approval's id. */
async function holdCall(path: string): Promise<string> {
  const answer = await alice.call('write_file', { path, content: `by alice${escape}` });
  const { effect, approval } = answer.result._meta['castellan/decision'] as { effect: string; approval: { id: string } };
  assert.equal(effect, 'require_approval');
  return approval.id;
}

test('login in the browser: code flow, then every command goes without a word about tokens', async () => {
  const login = new RunningCommand(['login', '--server', `${gateway.url}/`], { env: { XDG_CONFIG_HOME: home } });
  const address = await login.saw(({ stderr }) => /^ {2}(http\S+)$/m.exec(stderr)?.[1]);
  const browser = newBrowser();
  const consent = await browser.submit(await browser.open(address), { subject: 'sofia' });
  const done = await browser.submit(consent, {});
  assert.match(done.text, /Back to the terminal/);
  const { code, stdout } = await login.ended;
  assert.deepEqual([code, stdout], [0, `signed in at ${gateway.url} as sofia\n`]);
  const path = join(home, 'castellan', 'credentials.json');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await signedIn('approvals', 'list')).stdout, 'no held calls\n');
});

test('an access token that has expired is renewed by its refresh token', async () => {
  const path = join(home, 'castellan', 'credentials.json');
  const before = JSON.parse(await readFile(path, 'utf8')) as { logins: { accessToken: string; expiresAtMs: number }[] };
  const stale = before.logins.map((login) => ({ ...login, accessToken: 'gone', expiresAtMs: 0 }));
  await writeFile(path, JSON.stringify({ version: 1, logins: stale }));
  assert.equal((await signedIn('approvals', 'list')).code, 0);
  const [login] = (JSON.parse(await readFile(path, 'utf8')) as typeof before).logins;
  assert.ok(login !== undefined && login.accessToken.length > 20 && login.expiresAtMs > Date.now());
});

test('login on another device, and logout', async () => {
  const other = { XDG_CONFIG_HOME: join(gateway.folder, 'other') };
  const login = new RunningCommand(['login', '--server', gateway.url, '--device', '--json'], { env: other });
  const [address, code] = await login.saw(({ stderr }) => {
    const [, uri, userCode] = /open (\S+) on any device and enter the code\n\n {2}(\S+)\n/.exec(stderr) ?? [];
    return uri === undefined || userCode === undefined ? undefined : ([uri, userCode] as const);
  });
  const browser = newBrowser();
  const confirm = await browser.submit(await browser.open(address), { user_code: code });
  const signIn = await browser.submit(confirm, {});
  await browser.submit(await browser.submit(signIn, { subject: 'sofia' }), {});
  const ended = await login.ended;
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal((JSON.parse(ended.stdout) as { subject: string }).subject, 'sofia');
  assert.equal((await castellan(['keys', 'list'], { env: other })).stdout, 'no keys\n');
  const logout = ['login', '--server', gateway.url, '--logout'];
  assert.equal((await castellan(logout, { env: other })).stdout, `signed out of ${gateway.url}\n`);
  assert.equal((await castellan(logout, { env: other })).stdout, `not signed in at ${gateway.url}\n`);
  assert.equal((await castellan(['keys', 'list'], { env: other })).code, exitCodes.denied);
});

test('approvals: listed, shown with its exact arguments, approved, executed once', async () => {
  const id = await holdCall('one.txt');
  const list = (await signedIn('approvals', 'list')).stdout.split('\n');
  assert.match(list[0] ?? '', /^id +state +asked by +tool +expires +why$/);
  assert.match(list[1] ?? '', new RegExp(`^${id} +pending +alice +files/write_file +20\\S+Z +this tool can destroy`));
  assert.equal(list.length, 3);
  const shown = (await signedIn('approvals', 'show', id)).stdout;
  assert.match(shown, new RegExp(`^${id}: pending\nasked by   alice through `));
  assert.match(shown, /arguments {2}\{"path":"one\.txt","content":"by alice\\u001b\[31m"\}/);
  assert.ok(!shown.includes('\u001b'));
  const approved = await signedIn('approvals', 'approve', id, '--comment', 'fine');
  assert.match(approved.stdout, new RegExp(`^${id}: approved\n[^]*approve by sofia at \\S+: fine\n$`));
  const done = await alice.call('write_file', { path: 'one.txt', content: `by alice${escape}` });
  assert.notEqual(done.result.isError, true);
  assert.equal((await value<Approval>('approvals', 'show', id)).state, 'spent');
  const twice = await signedIn('approvals', 'approve', id);
  assert.equal(twice.code, exitCodes.failed);
  assert.match(twice.stderr, /^error: this call is spent already \(approval\.conflict\)\n$/);
});

test('approvals: denied with a word to the agent; an id that there is not; nobody for themselves', async () => {
  const id = await holdCall('two.txt');
  const asAlice = {
    CASTELLAN_SERVER: gateway.url,
    CASTELLAN_TOKEN: await gateway.provider.tokenFor('alice', { resource: gateway.adminAudience }),
  };
  const own = await castellan(['approvals', 'approve', id], { env: asAlice });
  assert.deepEqual([own.code, own.stdout], [exitCodes.denied, '']);
  assert.match(own.stderr, /this needs the role `approver`; ask whoever assigns groups \(admin\.forbidden\)/);
  assert.match((await signedIn('approvals', 'deny', id, '--comment', 'not today')).stdout, /deny by sofia at \S+: not today/);
  assert.deepEqual(
    (await value<Approval[]>('approvals', 'list', '--state', 'denied')).map((one) => one.id),
    [id],
  );
  assert.equal((await signedIn('approvals', 'list')).stdout, 'no held calls\n');
  const unknown = await signedIn('approvals', 'show', 'apr_none');
  assert.deepEqual([unknown.code, unknown.stderr], [exitCodes.failed, 'error: there is no approval with this id (approval.unknown)\n']);
});

test('keys through the gateway: made once shown, listed without the secret, revoked at once', async () => {
  const made = await value<{ id: string; key: string }>('keys', 'create', `ci${escape}`, '--group', 'engineering', 'ops', '--expires', '7');
  const agent = new RawAgent(gateway.endpoint(), made.key);
  await agent.open();
  const list = (await signedIn('keys', 'list')).stdout;
  assert.match(list, /^id +name +groups +scopes +expires +revoked +last used\n/);
  assert.match(list, new RegExp(`\n${made.id} +ci\\\\u001b\\[31m +engineering ops +20`));
  assert.ok(!list.includes(made.key) && !list.includes('\u001b'));
  assert.equal((await signedIn('keys', 'revoke', made.id)).stdout, `revoked \`${made.id}\`\n`);
  assert.equal((await agent.post({ jsonrpc: '2.0', id: 1, method: 'ping' })).status, 401);
  const tooLong = await signedIn('keys', 'create', 'ci', '--expires', '31');
  assert.deepEqual([tooLong.code, /a key lives 30 days at most/.test(tooLong.stderr)], [exitCodes.usage, true]);
  assert.equal((await signedIn('keys', 'revoke', 'key_none')).code, exitCodes.failed);
});

test('keys without a login: straight in the database of a configuration, which is how the first one is made', async () => {
  const offline = ['--config', gateway.configPath];
  const { code, stdout } = await castellan(['keys', 'create', 'first', '--group', 'engineering', ...offline]);
  const [key, , note] = stdout.split('\n');
  assert.equal(code, 0);
  assert.match(note ?? '', /^key `key_[\w-]+` for `first`; it is not shown again$/);
  assert.ok((await new RawAgent(gateway.endpoint(), key).open()).session);
  const [row] = (JSON.parse((await castellan(['keys', 'list', '--json', ...offline])).stdout) as KeyRow[]).filter(
    (one) => one.name === 'first',
  );
  assert.deepEqual([row?.groups, row?.revokedAtMs], [['engineering'], null]);
  const lifeDays = ((row?.expiresAtMs ?? 0) - Date.now()) / 86_400_000;
  assert.ok(lifeDays > 0 && lifeDays <= 30, 'without a life of its own it gets the configured one');
  assert.equal((await castellan(['keys', 'revoke', row?.id ?? '', ...offline])).code, 0);
  const gone = await castellan(['keys', 'revoke', 'none', ...offline]);
  assert.deepEqual([gone.code, /\(not_found\)\n$/.test(gone.stderr)], [exitCodes.failed, true]);
});

interface Line {
  readonly seq: number;
  readonly record: AuditRecord;
}

test('audit tail: oldest first, filtered, one JSON value a line', async () => {
  const denied = await signedIn('audit', 'tail', '--effect', 'require_approval', '--json', '--limit', '2');
  const lines = denied.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  assert.deepEqual(
    lines.map(({ record }) => [record.kind, record.what?.name, record.decision?.effect]),
    [
      ['decided', 'write_file', 'require_approval'],
      ['decided', 'write_file', 'require_approval'],
    ],
  );
  assert.ok((lines[0]?.seq ?? 0) < (lines[1]?.seq ?? 0));
  const text = (await signedIn('audit', 'tail', '--tool', 'write_file', '--identity', 'alice', '--kind', 'decided')).stdout;
  assert.match(
    text,
    /^ +\d+ {2}20\S+Z {2}decided {3}require_approval {4}alice {7}tools\/call files\/write_file {2}approval\/destructive: /,
  );
  assert.ok(!text.includes('\u001b'));
});

test('audit tail --follow goes on with each new record, though more came than a page holds, and ends when nobody reads', async () => {
  const follow = new RunningCommand(['audit', 'tail', '--follow', '--json', '--limit', '3', '--kind', 'decided', '--identity', 'bob'], {
    env: { XDG_CONFIG_HOME: home },
  });
  const bob = await new RawAgent(gateway.endpoint(), await gateway.token('bob')).open();
  await follow.saw(({ stdout }) => stdout.includes('\n'));
  for (let count = 0; count < 8; count++) await bob.call('list_directory', { path: './'.repeat(count + 1) });
  const seen = (text: string): Line[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  const lines = await follow.saw(({ stdout }) => {
    const all = seen(stdout);
    return all.filter(({ record }) => record.what?.name === 'list_directory').length === 8 ? all : undefined;
  });
  assert.deepEqual(
    lines.map((line) => line.seq),
    lines.map((line) => line.seq).sort((a, b) => a - b),
  );
  follow.stopReading();
  await bob.call('list_directory', { path: '.' });
  assert.equal((await follow.ended).code, 0);
});

test('audit verify: online and offline, against a head noted earlier and against a wrong one', async () => {
  const found = await value<Verification>('audit', 'verify');
  assert.equal(found.ok, true);
  const head = `${found.headSeq ?? 0}:${found.headHash ?? ''}`;
  const offline = await castellan(['audit', 'verify', '--config', gateway.configPath, '--head', head]);
  assert.deepEqual([offline.code, offline.stderr], [0, '']);
  assert.match(offline.stdout, /^whole: \d+ records, head \d+:sha256:[0-9a-f]{64}, (1 checkpoint fits|\d+ checkpoints fit)\n$/);
  const cut = await signedIn('audit', 'verify', '--head', `999999:${'0'.repeat(64)}`);
  assert.deepEqual([cut.code, cut.stderr], [exitCodes.failed, '']);
  assert.match(
    cut.stdout,
    /^broken at record \d+: the log ends at record \d+, but its head was once 999999: its tail was cut\n {2}look for .*\n$/,
  );
  const rewritten = await castellan(['audit', 'verify', '--config', gateway.configPath, '--head', `1:${'0'.repeat(64)}`, '--json']);
  assert.equal(rewritten.code, exitCodes.failed);
  assert.equal((JSON.parse(rewritten.stdout) as Verification).at, 1);
  const nonsense = await signedIn('audit', 'verify', '--head', 'latest');
  assert.deepEqual([nonsense.code, /`latest` is no head/.test(nonsense.stderr)], [exitCodes.usage, true]);
});

test("a refused token: exit code 3, and the gateway's words", async () => {
  const env = { CASTELLAN_SERVER: gateway.url, CASTELLAN_TOKEN: await gateway.token('sofia') };
  const wrong = await castellan(['approvals', 'list'], { env });
  assert.equal(wrong.code, exitCodes.denied);
  assert.match(wrong.stderr, /\(auth\.invalid_token\)\n$/);
});
