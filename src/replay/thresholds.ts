import { GatewayError } from '../model/errors.ts';
import { notReplayable, type ReplayReport } from './report.ts';
import type { Kind } from './verdict.ts';

/** What a bound is on. */
export type Bounded = Kind | 'changed' | 'not_replayable' | 'unknowable';

/** At most so many, or at most this share of the decisions that were replayed. */
export interface Threshold {
  readonly on: Bounded;
  readonly most: number;
  readonly isShare: boolean;
}

/** `12` or `0.1%`. @throws GatewayError `request.invalid` */
export function parseThreshold(on: Bounded, text: string): Threshold {
  const found = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
  const value = Number(found?.[1]);
  if (found === null || (found[2] === '' ? !Number.isInteger(value) : value > 100)) {
    const option = `--max-${on.replaceAll('_', '-')}`;
    throw new GatewayError(
      'request.invalid',
      `\`${option} ${text}\` is no bound; give a number such as \`12\`, or a share such as \`0.1%\``,
    );
  }
  return { on, most: found[2] === '' ? value : value / 100, isShare: found[2] !== '' };
}

/** The bounds that the report does not keep, in words. */
export function exceeded(report: ReplayReport, thresholds: readonly Threshold[]): readonly string[] {
  return thresholds.flatMap(({ on, most, isShare }) => {
    const count = countOf(report, on);
    const whole = on === 'not_replayable' || on === 'unknowable' ? report.decisions : report.replayed;
    const allowed = isShare ? most * whole : most;
    if (count <= allowed) return [];
    const bound = isShare ? `${round(most * 100)}% of ${whole}` : String(most);
    return [`${on.replaceAll('_', ' ')}: ${count}, and at most ${bound} may be`];
  });
}

function countOf(report: ReplayReport, on: Bounded): number {
  if (on === 'changed') return report.changed;
  if (on === 'not_replayable') return notReplayable(report);
  return on === 'unknowable' ? report.unknowable : report.kinds[on];
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
