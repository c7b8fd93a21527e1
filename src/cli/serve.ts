import { Command } from 'commander';
import type { CommandContext } from './program.ts';

/** `castellan serve`: the production start. Ends on SIGTERM or SIGINT once every accepted call is answered. */
export function serveCommand({ app, output, exit }: CommandContext): Command {
  return new Command('serve')
    .description('run the gateway')
    .requiredOption('--config <file>', 'the configuration', 'castellan.yaml')
    .action(async (options: { config: string }) => {
      const gateway = await app.startGateway({ configPath: options.config, env: process.env });
      output.note(`castellan listens on ${gateway.url}`);
      await new Promise<void>((resolve) => {
        let stopping = false;
        const stop = (signal: string): void => {
          if (stopping) return;
          stopping = true;
          output.note(`${signal}: finishing what was accepted`);
          void gateway.close().then(resolve, (error: unknown) => {
            output.error('gateway.internal', error instanceof Error ? error.message : String(error));
            exit(1);
            resolve();
          });
        };
        process.on('SIGTERM', stop);
        process.on('SIGINT', stop);
        process.on('SIGHUP', () => void gateway.reload());
      });
    });
}
