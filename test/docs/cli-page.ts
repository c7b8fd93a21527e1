import type { Command } from 'commander';
import { application } from '../../src/app.ts';
import { exitCodes, exitHelp } from '../../src/cli/exit-codes.ts';
import { Output } from '../../src/cli/output.ts';
import { createProgram } from '../../src/cli/program.ts';

const head = `<!-- Made by \`node test/docs/generate.ts\` from the commands themselves; edit those, or the notes in test/docs/cli-page.ts. -->

# Command line

In this repository \`npm start\` is \`castellan serve --config castellan.yaml\`, and \`npm run demo\` is \`castellan demo\`; both build first. After \`npm run build\`
any command runs as \`node dist/main.js <command>\`, with Node.js 24 or later. In the image the program is \`castellan\`.

- Answers go to standard output, everything else to standard error. \`--json\`, in any place, makes the answer one JSON value (\`audit tail\`: one a line), and
  a fault \`{"error": {"code", "message"}}\`.
- Colours only on a terminal, and not with [\`NO_COLOR\`](https://no-color.org). Text that came from agents or servers is shown with its control characters
  escaped.
- Commands that ask a gateway use \`castellan login\`, or where there is no person \`CASTELLAN_TOKEN\` (an access token for the admin audience) with
  \`CASTELLAN_SERVER\`.

| exit code | means |
|---|---|
`;

const notes: Readonly<Record<string, string>> = {
  serve: `\`SIGTERM\` and \`SIGINT\` stop it: nothing new is accepted, calls in flight are finished (at most \`limits.drain_timeout_ms\`), records are written, children are
ended. \`SIGHUP\` reads configuration and policy again. The log is on standard output.`,
  check: `Exit code 1 lists every fault at once, each with file, line, column, path and what to do. Policy is compiled and its tests are run.`,
  'policy check': `A fault is shown with its line. Schemas are those in \`schemas/\` of the policy folder, capabilities its \`capabilities.json\`.`,
  'policy test': `The tests' report and the exit codes are those of \`opa test\`: 0, 1 when something does not compile, 2 when a test fails.`,
  'policy build': `Writes the module, its data, and \`release.json\` with digest and Git commit (\`local\` outside Git).`,
  lock: `Asks the servers of the configuration; no gateway need run. Exit code 1 where \`--diff\` or \`--check\` find a change, 4 where a server does not answer. See
[tool integrity](../operations/tool-integrity.md).`,
  catalogue: `Roles \`auditor\` and \`operator\`. Text of the servers is shown with everything that is invisible escaped.`,
  login: `Finds the issuer through the gateway's metadata (RFC 9728). Without \`--device\`: authorization code with PKCE on a loopback port. The tokens are kept in
\`$XDG_CONFIG_HOME/castellan/credentials.json\` (default \`~/.config\`), for its owner only, and renewed with the refresh token. Needs \`admin.login\` in the
gateway's configuration.`,
  'keys create': `With \`--config\` it needs no running gateway and no sign-in: that is how the first key is made. \`api_keys.max_lifetime_days\` bounds its life, \`api_keys.default_lifetime_days\` is what it is without \`--expires\`. The key is shown
once and stored as a hash.`,
  'approvals approve': `Role \`approver\`, one of the groups that the rule names, and not the person who asked (unless the rule allows it).`,
  'audit verify': `Prints the head as \`seq:hash\`; note it elsewhere and give it back later with \`--head\`. Exit code 1 where the chain is broken. See
[the audit log](../operations/audit.md).`,
  replay: `See [replay](../operations/replay.md). Exit code 1 beyond a \`--max-…\` bound.`,
  'policy coverage': `See [coverage by traffic](../operations/replay.md#coverage-by-traffic).`,
  'policy suggest': `See [from nothing to enforcing](../operations/replay.md#from-nothing-to-enforcing). Exit code 1 where a call that went on would be denied.`,
  demo: `Needs the development packages, so it runs in the repository and not in an installation for production.`,
};

/** `docs/reference/cli.md`, from the commands. */
export async function cliPage(): Promise<string> {
  const silent = { write: () => true, on: () => undefined };
  const output = new Output(silent as never, silent as never, {});
  const program = await createProgram({ app: application, output, exit: () => undefined });
  const meanings = new Map([...exitHelp.matchAll(/^ {2}(\d) {2}(.+)$/gm)].map(([, code = '', words = '']) => [Number(code), words]));
  const codes = Object.values(exitCodes).map((code) => `| ${code} | ${meanings.get(code) ?? ''} |\n`);
  return head + codes.join('') + sections(program, []).join('');
}

function sections(command: Command, words: readonly string[]): string[] {
  const own = command.commands.length > 0 ? [] : [section(command, words)];
  return [...own, ...command.commands.flatMap((sub) => sections(sub, [...words, sub.name()]))];
}

function section(command: Command, words: readonly string[]): string {
  command.configureHelp({ helpWidth: 120 });
  const note = notes[words.join(' ')];
  return `\n## castellan ${words.join(' ')}\n\n\`\`\`text\n${command.helpInformation().trimEnd()}\n\`\`\`\n${note === undefined ? '' : `\n${note}\n`}`;
}
