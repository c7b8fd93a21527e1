import { Command, CommanderError } from 'commander';
import { asGatewayError, GatewayError } from '../model/errors.ts';
import type { Application } from './application.ts';
import { exitCodes, exitHelp } from './exit-codes.ts';
import { Output } from './output.ts';
import { version } from '../version.ts';

/** What every command gets: where it writes, and how it says how it ended. */
export interface CommandContext {
  readonly app: Application;
  readonly output: Output;
  /** Sets the exit code of the process; the last word counts. */
  readonly exit: (code: number) => void;
}

type MakeCommand = (context: CommandContext) => Command;

/** Commands by name, in the order of the help. Each is a module that is loaded when it is asked for. */
const commands: Readonly<Record<string, () => Promise<MakeCommand>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand,
  check: async () => (await import('./check.ts')).checkCommand,
  policy: async () => (await import('./policy.ts')).policyCommand,
  lock: async () => (await import('./lock.ts')).lockCommand,
  catalogue: async () => (await import('./catalogue.ts')).catalogueCommand,
  init: async () => (await import('./init.ts')).initCommand,
  login: async () => (await import('./login.ts')).loginCommand,
  keys: async () => (await import('./keys.ts')).keysCommand,
  approvals: async () => (await import('./approvals.ts')).approvalsCommand,
  audit: async () => (await import('./audit.ts')).auditCommand,
  replay: async () => (await import('./replay.ts')).replayCommand,
  demo: async () => (await import('./demo.ts')).demoCommand,
  version: async () => (await import('./version.ts')).versionCommand,
};

/**
 * The program with every command and its options, or with the one that `argv` names. Parsing throws a `CommanderError` for a wrong command
 * line and for `--help`.
 */
export async function createProgram(context: CommandContext, argv: readonly string[] = []): Promise<Command> {
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
  const word = argv.find((one) => !one.startsWith('-')) ?? '';
  const wanted = Object.entries(commands).filter(([name]) => name === word || !Object.hasOwn(commands, word));
  const makers = await Promise.all(wanted.map(([, load]) => load()));
  for (const make of makers) program.addCommand(inherit(make(context)));
  return program;
}

/** Runs one command line and gives the exit code. Nothing here throws: every fault is one line on standard error. */
export async function run(argv: readonly string[], app: Application): Promise<number> {
  const output = new Output(process.stdout, process.stderr, process.env);
  let code: number = exitCodes.ok;
  try {
    const program = await createProgram({ app, output, exit: (next) => void (code = next) }, argv);
    await program.parseAsync(argv, { from: 'user' });
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
