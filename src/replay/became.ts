import type { Effect } from '../model/decision.ts';
import type { Became } from './derived-history.ts';
import type { Verdict } from './verdict.ts';

/** What a call met in the end: a limit that is reached denies, whatever policy said. */
export function effective(verdict: Verdict): Verdict {
  const { limited, ...rest } = verdict;
  return limited === undefined ? verdict : { ...rest, effect: 'deny', rules: [limited] };
}

/** Whether a call with this effect is sent. */
export function isSent(effect: Effect): boolean {
  return effect === 'allow' || effect === 'redact';
}

/** What a call became under the candidate, from what it met then and now; `undefined` where it is the same for all that follows. */
export function becameOf(was: Verdict, now: Verdict): Became | undefined {
  const [before, after] = [isSent(was.effect), isSent(now.effect)];
  if (!before && !after) {
    if (was.effect === now.effect) return undefined;
    // Somebody may have approved what was denied outright.
    return now.effect === 'require_approval' ? { kind: 'unknown', effect: now.effect } : { kind: 'refused', effect: now.effect };
  }
  if (now.effect === 'deny') return { kind: 'refused', effect: now.effect };
  if (!before || !after) return { kind: 'unknown', effect: now.effect };
  if (was.redactions.join('\n') !== now.redactions.join('\n')) return { kind: 'unknown', effect: now.effect };
  if (was.effect !== now.effect || was.labels.join('\n') !== now.labels.join('\n')) return { kind: 'relabelled', effect: now.effect };
  return undefined;
}
