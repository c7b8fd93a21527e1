import { Command, CommanderError } from 'commander';
import { asGatewayError, GatewayError } from '../model/errors.ts';
import type { Application } from './application.ts';
import { approvalsCommand } from './approvals.ts';
import { auditCommand } from './audit.ts';
import { catalogueCommand } from './catalogue.ts';
import { checkCommand } from './check.ts';
import { demoCommand } from './demo.ts';
import { exitCodes, exitHelp } from './exit-codes.ts';
import { initCommand } from './init.ts';
import { keysCommand } from './keys.ts';
import { lockCommand } from './lock.ts';
import { loginCommand } from './login.ts';
import { Output } from './output.ts';
import { policyCommand } from './policy.ts';
import { replayCommand } from './replay.ts';
import { serveCommand } from './serve.ts';
import { version } from '../version.ts';
import { versionCommand } from './version.ts';

/** What every command gets: where it writes, and how it says how it ended. */
export interface CommandContext {
  readonly app: Application;
  readonly output: Output;
  /** Sets the exit code of the process; the last word counts. */
  readonly exit: (code: number) => void;
}

const commands = [
  serveCommand,
  checkCommand,
  policyCommand,
  lockCommand,
  catalogueCommand,
  initCommand,
  loginCommand,
  keysCommand,
  approvalsCommand,
  auditCommand,
  replayCommand,
  demoCommand,
  versionCommand,
];

/** Every command with its options. Parsing throws a `CommanderError` for a wrong command line and for `--help`. */
export function createProgram(context: CommandContext): Command {
  const { output } = context;
  const program = new Command('castellan')
    .description('A policy-as-code gateway for the Model Context Protocol')
    .version(version, '-V, --version', 'print the version alone')
    .option('--json', 'machine-readable output on standard output')
    .hook('preAction', (_this, action) => output.useJson(action.optsWithGlobals<{ json?: boolean }>().json === true))
    .exitOverride()
    .configureOutput({ getOutHasColors: () => output.colors, getErrHasColors: () => output.colors })
    .showHelpAfterError('run it with --help for its options')
    .addHelpText('after', exitHelp);
  for (const make of commands) program.addCommand(inherit(make(context)));
  return program;
}

/** Runs one command line and gives the exit code. Nothing here throws: every fault is one line on standard error. */
export async function run(argv: readonly string[], app: Application): Promise<number> {
  const output = new Output(process.stdout, process.stderr, process.env);
  let code: number = exitCodes.ok;
  try {
    await createProgram({ app, output, exit: (next) => void (code = next) }).parseAsync(argv, { from: 'user' });
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    return failed(output, thrown);
  }
}

/** Sub-commands refuse and help in the same way as the program, and take `--json` in any place. */
function inherit(command: Command): Command {
  command.exitOverride().showHelpAfterError('run it with --help for its options');
  if (!command.options.some((option) => option.long === '--json')) command.option('--json', 'machine-readable output on standard output');
  for (const child of command.commands) inherit(child);
  return command;
}

function failed(output: Output, thrown: unknown): number {
  const error = systemFault(thrown) ?? asGatewayError(thrown);
  const cause = error.code === 'gateway.internal' && thrown instanceof Error ? thrown.message : undefined;
  output.error(error.code, cause ?? error.message);
  return codeFor(error);
}

/** What the system refused, in words that say what to do. */
function systemFault(thrown: unknown): GatewayError | undefined {
  const { code, syscall, address, port } = (thrown ?? {}) as { code?: unknown; syscall?: unknown; address?: unknown; port?: unknown };
  if (syscall !== 'listen') return undefined;
  const why = code === 'EADDRINUSE' ? 'is in use' : `cannot be listened on (${String(code)})`;
  return new GatewayError('request.invalid', `\`${String(address)}:${String(port)}\` ${why}; free it, or choose another port`);
}

function codeFor(error: GatewayError): number {
  if (error.code === 'config.invalid' || error.code === 'request.invalid') return exitCodes.usage;
  if (error.code === 'auth.issuer_down') return exitCodes.unreachable;
  if (error.code.startsWith('auth.') || error.code === 'admin.forbidden') return exitCodes.denied;
  if (error.code === 'store.unavailable' || error.code === 'upstream.unreachable') return exitCodes.unreachable;
  return exitCodes.failed;
}
