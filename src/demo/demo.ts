import type { Application, DemoOutput } from '../cli/application.ts';
import { connectText } from './connect-text.ts';
import { runScript, type DemoLine } from './demo-script.ts';
import { setUpDemo } from './demo-setup.ts';

export interface DemoOptions {
  readonly output: DemoOutput;
  readonly once: boolean;
  /** Port of the gateway; 0 takes a free one. */
  readonly port: number;
  readonly startGateway: Application['startGateway'];
}

const colours: Readonly<Record<string, 'green' | 'yellow' | undefined>> = {
  allow: 'green',
  approved: 'green',
  whole: 'green',
  redact: 'yellow',
  require_approval: 'yellow',
};

/**
 * The main job on this machine: the gateway with its embedded defaults, a real OpenID provider, three MCP servers, and a scripted agent as
 * two identities. Gives whether every line came out as expected; without `once` it goes on serving until it is interrupted.
 */
export async function runDemo({ output, once, port, startGateway }: DemoOptions): Promise<boolean> {
  const setup = await setUpDemo(once ? 0 : port);
  const gateway = await startGateway({ configPath: setup.configPath, env: process.env });
  const lines: DemoLine[] = [];
  try {
    const widths = [8, 30, 17, 28];
    const lay = (cells: readonly string[]): string => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' ');
    output.line(output.paint('bold', lay(['identity', 'tool', 'effect', 'rule', '     ms  reason'])));
    await runScript(setup, (line) => {
      lines.push(line);
      const mark = line.good ? '' : output.paint('red', '  <- not as expected');
      const effect = output.paint(colours[line.effect] ?? 'red', line.effect.padEnd(17));
      output.line(
        `${lay([line.identity, line.tool])} ${effect} ${line.rule.padEnd(28)} ${line.tookMs.toFixed(1).padStart(7)}  ${line.reason}${mark}`,
      );
    });
    const good = lines.length > 0 && lines.every((line) => line.good);
    output.answer({ ok: good, lines }, () =>
      good
        ? output.paint('green', `\nall ${lines.length} lines as expected`)
        : output.paint('red', '\nsome lines did not come out as expected'),
    );
    if (!once) {
      output.line(
        connectText(
          setup.endpoint,
          setup.url,
          await setup.provider.tokenFor('alice', { resource: setup.endpoint, expiresInS: 28_800 }),
          setup.policyFolder,
        ),
      );
      await interrupted();
    }
    return good;
  } finally {
    await gateway.close();
    await setup.close();
  }
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}
