import type { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import type { TrafficSource } from './replay-tools.ts';

export interface TrafficOptions {
  readonly config?: string;
  readonly from?: string;
  readonly since?: string;
  readonly until?: string;
}

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** The options that say which decisions on record are meant. */
export function trafficOptions(command: Command): Command {
  return command
    .option('--since <time>', 'from when on: `30d`, `12h`, `15m`, or a date; default: the first that is there')
    .option('--until <time>', 'until when, likewise')
    .option('--config <file>', 'read the database of this configuration')
    .option('--from <export>', 'read a file that `castellan audit export --for-replay` wrote');
}

/** @throws GatewayError `request.invalid` unless exactly one source is given, and for what is no time */
export function trafficSource({ config, from, since, until }: TrafficOptions, nowMs: number): TrafficSource {
  if ((config === undefined) === (from === undefined))
    throw new GatewayError('request.invalid', 'say where the recorded decisions are: give `--config` or `--from`');
  return {
    ...(config === undefined ? {} : { configPath: config }),
    ...(from === undefined ? {} : { from }),
    env: process.env,
    ...(since === undefined ? {} : { sinceMs: timeOf('--since', since, nowMs) }),
    ...(until === undefined ? {} : { untilMs: timeOf('--until', until, nowMs) }),
  };
}

function timeOf(option: string, text: string, nowMs: number): number {
  const span = /^(\d+)([mhdw])$/.exec(text);
  const atMs = span === null ? Date.parse(text) : nowMs - Number(span[1]) * (unitMs[span[2] ?? ''] ?? 0);
  if (Number.isNaN(atMs) || (span === null && !/^\d{4}-/.test(text)))
    throw new GatewayError(
      'request.invalid',
      `\`${option} ${text}\` is no time; give a span such as \`30d\`, or a date such as \`2026-11-01\``,
    );
  return atMs;
}
