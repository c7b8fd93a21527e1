import { Command } from 'commander';
import { exitCodes } from './exit-codes.ts';
import type { CommandContext } from './program.ts';

/** `castellan demo`: the main job on this machine, with real MCP servers and a real OpenID provider. */
export function demoCommand({ app, output, exit }: CommandContext): Command {
  return new Command('demo')
    .description('run the main job here: a gateway, an identity provider, three MCP servers and a scripted agent')
    .option('--once', 'end after the script; exit 0 only if every line came out as expected')
    .option('--port <number>', 'port of the gateway', '8080')
    .action(async (options: { once?: boolean; port: string }) => {
      const good = await app.runDemo({ output, once: options.once === true, port: Number(options.port) });
      exit(good ? exitCodes.ok : exitCodes.failed);
    });
}
