import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { application } from '../../src/app.ts';
import { exitCodes, exitHelp } from '../../src/cli/exit-codes.ts';
import { Output } from '../../src/cli/output.ts';
import { createProgram } from '../../src/cli/program.ts';
import { castellan } from './castellan.ts';

const scratch = mkdtempSync(join(tmpdir(), 'castellan-cli-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const output = new Output(process.stdout, process.stderr, {});
const program = await createProgram({ app: application, output, exit: () => undefined });
const all = [
  [],
  ...program.commands.flatMap((command) => [[command.name()], ...command.commands.map((sub) => [command.name(), sub.name()])]),
];

test('every promised command is there', () => {
  const known = new Set(all.map((words) => words.join(' ')));
  const promised = `serve, check, policy check, policy test, policy fmt, policy build, login, keys create, keys list, keys revoke, approvals list,
    approvals show, approvals approve, approvals deny, audit tail, audit verify, demo, version`;
  for (const command of promised.split(/,\s+/)) assert.ok(known.has(command), command);
});

test('each command has --help, on standard output, with exit code 0', async () => {
  for (const words of all) {
    assert.match(await helpOf(words), new RegExp(`^Usage: castellan ?${words.join(' ')}`), words.join(' '));
  }
  const { code, stdout, stderr } = await castellan(['policy', 'test', '--help']);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.match(stdout, /^Usage: castellan policy test \[options\]\n\nrun the tests as `opa test` does, with its exit codes/);
});

/** In this process: starting one for each command would take longer than all the rest. */
async function helpOf(words: readonly string[]): Promise<string> {
  let text = '';
  const fresh = await createProgram({ app: application, output, exit: () => undefined });
  const listen = (command: typeof fresh): void => {
    command.configureOutput({ writeOut: (chunk) => (text += chunk) });
    command.commands.forEach((sub) => listen(sub));
  };
  listen(fresh);
  await assert.rejects(fresh.parseAsync([...words, '--help'], { from: 'user' }), { exitCode: 0 });
  return text;
}

test('--help of the program lists the exit codes that the commands use', async () => {
  const text = await helpOf([]);
  assert.ok(text.endsWith(`${exitHelp}\n`));
  assert.deepEqual(
    [...exitHelp.matchAll(/^ {2}(\d)/gm)].map(([, code]) => Number(code)),
    Object.values(exitCodes),
  );
});

for (const [title, args, code, message] of [
  ['no command', [], 2, /^Usage: castellan/],
  ['an unknown command', ['frobnicate'], 2, /^error: unknown command 'frobnicate'\nrun it with --help for its options\n$/],
  ['a command group without a command', ['policy'], 2, /^Usage: castellan policy/],
  ['an unknown option', ['check', '--confg', 'x'], 2, /^error: unknown option '--confg'\n\(Did you mean --config\?\)\nrun it with/],
  ['a missing argument', ['approvals', 'approve'], 2, /^error: missing required argument 'id'\n/],
  [
    'a choice that there is not',
    ['approvals', 'list', '--state', 'lost'],
    2,
    /Allowed choices are pending, approved, denied, spent, expired, all/,
  ],
  ['an argument too many', ['version', 'now'], 2, /^error: too many arguments/],
  ['a port that is none', ['demo', '--port', '80a'], 2, /`--port` must be a port/],
  ['a threshold that is none', ['policy', 'test', '--threshold', '101'], 2, /`--threshold` must be a percentage/],
  ['a limit that is none', ['audit', 'tail', '--limit', '0'], 2, /`--limit` must be a number, 1 to 1000/],
  ['a life that is none', ['keys', 'create', 'ci', '--expires', 'soon'], 2, /`--expires` must be a number of days/],
  ['nobody signed in', ['approvals', 'list'], 3, /^error: not signed in; run `castellan login --server URL` first \(auth.required\)\n$/],
  ['nobody signed in there', ['keys', 'list', '--server', 'http://127.0.0.1:1'], 3, /not signed in at `http:\/\/127.0.0.1:1`/],
  ['no gateway', ['login', '--server', 'http://127.0.0.1:1'], 4, /^error: `http:\/\/127.0.0.1:1` does not answer; check the address/],
] as const) {
  test(`${title}: exit code ${code}, words on standard error, nothing on standard output`, async () => {
    const ended = await castellan(args);
    assert.match(ended.stderr, message);
    assert.deepEqual([ended.code, ended.stdout], [code, '']);
  });
}

test('with --json a fault is one JSON value on standard output', async () => {
  const { code, stdout, stderr } = await castellan(['approvals', 'list', '--json'], { env: { CASTELLAN_TOKEN: 'x' } });
  assert.deepEqual(JSON.parse(stdout), {
    error: { code: 'request.invalid', message: 'name the gateway with --server or CASTELLAN_SERVER' },
  });
  assert.deepEqual([code, stderr], [2, '']);
});

test('version tells the versions, for people and for programs', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  const [text, json, short] = await Promise.all([castellan(['version']), castellan(['--json', 'version']), castellan(['--version'])]);
  assert.deepEqual([text.code, text.stdout], [0, `castellan ${version}, Node.js ${process.versions.node}\n`]);
  assert.deepEqual(JSON.parse(json.stdout), { castellan: version, node: process.versions.node, v8: process.versions.v8 });
  assert.equal(short.stdout, `${version}\n`);
});

test('an older Node is told so in one line, before anything is loaded', (t) => {
  const old = olderNode();
  if (old === undefined) {
    t.skip('no Node before 24 on this machine');
    return;
  }
  const main = join(scratch, 'main.mjs');
  writeFileSync(main, stripTypeScriptTypes(readFileSync(new URL('../../src/main.ts', import.meta.url), 'utf8')));
  assert.throws(
    () => execFileSync(old, [main, 'version'], { stdio: 'pipe' }),
    (error: { status: number; stderr: Buffer }) => {
      assert.equal(error.status, exitCodes.usage);
      assert.match(error.stderr.toString(), /^castellan needs Node\.js 24 or later; this is v\d+\.\d+\.\d+\. .+\n$/);
      return true;
    },
  );
});

function olderNode(): string | undefined {
  for (const path of [process.env['CASTELLAN_OLD_NODE'], '/usr/bin/node', '/usr/local/bin/node']) {
    if (path === undefined) continue;
    try {
      const [, major] = /^v(\d+)\./.exec(execFileSync(path, ['--version']).toString()) ?? [];
      if (Number(major) < 24) return path;
    } catch {
      continue; // not there
    }
  }
  return undefined;
}
