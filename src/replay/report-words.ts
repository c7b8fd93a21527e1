import type { Group } from './groups.ts';
import { notReplayable, type NotReplayable, type Quantiles, type ReplayReport } from './report.ts';
import type { Kind } from './verdict.ts';

/** What each kind is called. */
export const kindWords: Readonly<Record<Kind, string>> = {
  newly_denied: 'newly denied',
  newly_allowed: 'newly allowed',
  newly_needing_approval: 'newly needing approval',
  newly_redacted: 'newly redacted',
  redactions_changed: 'redacted otherwise',
  limits_changed: 'counted otherwise',
  list_changed: 'other lists',
};

const notWords: Readonly<Record<NotReplayable, string>> = {
  masked: 'masked',
  erased: 'erased',
  expired: 'expired',
  too_large: 'too large to keep',
  not_kept: 'not kept',
};

/** One sentence: what the candidate would have done. */
export function headline(report: ReplayReport): string {
  const { replayed, changed, mode } = report;
  const counts = Object.entries(report.kinds).filter(([, count]) => count > 0);
  const what = counts.map(([kind, count]) => `${count} ${kindWords[kind as Kind]}`).join(', ');
  const how = mode === 'faithful' ? 'with history as it would have been' : 'as recorded';
  if (replayed === 0) return 'nothing could be replayed';
  return changed === 0
    ? `no difference in ${replayed} replayed decisions, ${how}`
    : `${changed} of ${replayed} replayed decisions differ, ${how}: ${what}`;
}

/** What was left out and why, a line each. */
export function leftOut(report: ReplayReport): readonly string[] {
  const lines = [];
  if (notReplayable(report) > 0) {
    const why = Object.entries(report.not_replayable).filter(([, count]) => count > 0);
    const words = why.map(([name, count]) => `${count} ${notWords[name as NotReplayable]}`).join(', ');
    lines.push(`${notReplayable(report)} not replayable: their input is ${words}`);
  }
  if (report.gateway_decided > 0) lines.push(`${report.gateway_decided} not compared: the gateway itself decided, policy gave no answer`);
  if (report.no_entrypoint > 0) lines.push(`${report.no_entrypoint} not compared: the candidate has no such entrypoint`);
  if (report.unknowable > 0)
    lines.push(`${report.unknowable} unknowable: they depend on a call whose outcome under the candidate nobody knows`);
  if (report.moot > 0) lines.push(`${report.moot} results of calls that would not have been sent`);
  if (report.unserved_rules.length > 0) {
    const rules = report.unserved_rules.join(', ');
    lines.push(
      `not judged by this export: ${rules} decide by values that are tokens in it; export again with the candidate under \`--also\``,
    );
  }
  if (report.ungrouped > 0) lines.push(`${report.ungrouped} differences are in no group of their own: there are too many groups`);
  return lines;
}

/** How the answer changed in one group. */
export function changeWords({ was, now, gone, added }: Group): string {
  if (was.visible !== undefined || now.visible !== undefined) return `${was.visible ?? 0} visible → ${now.visible ?? 0}`;
  const side = ({ effect, rules }: Group['was']): string => (rules.length === 0 ? effect : `${effect} (${rules.join(', ')})`);
  const details = [...gone.map((item) => `−${item}`), ...added.map((item) => `+${item}`)];
  const changed = `${side(was)} → ${side(now)}`;
  return details.length === 0 ? changed : `${changed}; ${details.join(', ')}`;
}

/** Who is concerned: some by name, and how many there are. */
export function identityWords({ identities: { count, top } }: Group): string {
  const named = top.map(({ identity, count: times }) => `${identity} ×${times}`).join(', ');
  return count > top.length ? `${named} and ${count - top.length} more` : named;
}

/** How fast the candidate is, and beside the release in force where that was asked. */
export function latencyWords({ latency: { candidate, compared, recorded } }: ReplayReport): string {
  if (compared !== null) {
    const ratio = (compared.candidate.p50_us ?? 0) / (compared.base.p50_us ?? 1);
    return `evaluation ${times(compared.candidate)} under the candidate, ${times(compared.base)} under the release in force (${ratio.toFixed(2)}×, ${compared.inputs} inputs, this machine)`;
  }
  return `evaluation ${times(candidate)} here, recorded ${times(recorded)} by the gateway`;
}

function times({ p50_us: p50, p99_us: p99 }: Quantiles): string {
  return p50 === null ? 'not measured' : `p50 ${micros(p50)}, p99 ${micros(p99 ?? 0)}`;
}

/** Microseconds, with the unit that fits. */
export function micros(value: number): string {
  return value < 1_000 ? `${Math.round(value)} µs` : `${(value / 1_000).toFixed(1)} ms`;
}
