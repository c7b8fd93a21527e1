import { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import { exitCodes } from './exit-codes.ts';
import type { CommandContext } from './program.ts';

/** `castellan demo`: the main job on this machine, with real MCP servers and a real OpenID provider. */
export function demoCommand({ app, output, exit }: CommandContext): Command {
  return new Command('demo')
    .description('run the main job here: a gateway, an identity provider, three MCP servers and a scripted agent')
    .option('--once', 'end after the script; exit 0 only if every line came out as expected')
    .option('--port <number>', 'port of the gateway; 0 takes a free one, and so does --once', '8080')
    .action(async (options: { once?: boolean; port: string }) => {
      if (!/^\d{1,5}$/.test(options.port) || Number(options.port) > 65_535)
        throw new GatewayError('request.invalid', '`--port` must be a port, 0 to 65535');
      const good = await app.runDemo({ output, once: options.once === true, port: Number(options.port) }).catch(explain);
      exit(good ? exitCodes.ok : exitCodes.failed);
    });
}

/** Production installs leave out what only the demo and the tests use. */
function explain(thrown: unknown): never {
  if ((thrown as NodeJS.ErrnoException | undefined)?.code !== 'ERR_MODULE_NOT_FOUND') throw thrown;
  throw new GatewayError('request.invalid', 'the demo needs development packages; run `npm ci && npm run demo` in the repository', {
    cause: thrown,
  });
}
