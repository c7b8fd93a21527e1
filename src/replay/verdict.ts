import type { AuditDecision } from '../model/audit-record.ts';
import type { Effect, Entrypoint, Limit, PolicyAnswer, PolicyFault, Redaction } from '../model/decision.ts';
import type { ListAnswer } from '../model/ports.ts';

/** How a decision differs under a candidate. */
export type Kind =
  'newly_denied' | 'newly_allowed' | 'newly_needing_approval' | 'newly_redacted' | 'redactions_changed' | 'limits_changed' | 'list_changed';
export const kinds: readonly Kind[] = [
  'newly_denied',
  'newly_allowed',
  'newly_needing_approval',
  'newly_redacted',
  'redactions_changed',
  'limits_changed',
  'list_changed',
];

/** What counts of an answer when two are compared: words, severities and owners do not. */
export interface Verdict {
  readonly effect: Effect;
  /** Rules behind the effect, each once, sorted. */
  readonly rules: readonly string[];
  /** Without the rule that asked, each once, sorted: what changes on the wire. */
  readonly redactions: readonly string[];
  readonly limits: readonly string[];
  /** Labels that the call or its result earns: what later calls are judged by. */
  readonly labels: readonly string[];
  /** The rule of a limit that was reached: the call was denied although policy itself did not deny it. */
  readonly limited?: string;
  /** For lists: how many items are visible. */
  readonly visible?: number;
  readonly fault?: PolicyFault;
}

/** What policy said of an input. */
export function verdictOf(answer: PolicyAnswer | ListAnswer): Verdict {
  if ('visible' in answer) return listVerdict(answer.visible.length);
  const { effect, reasons, redactions, limits, labels } = answer;
  return {
    effect,
    rules: rulesOf(effect, reasons),
    redactions: redactions.map(redactionKey).sort(),
    limits: limits.map(limitKey).sort(),
    labels,
  };
}

/** What stands in the place of an answer that policy did not give. */
export function faultVerdict(fault: PolicyFault, rule?: string): Verdict {
  return { ...nothing, effect: 'deny', rules: [rule ?? `gateway/${fault}`], fault };
}

/**
 * What policy said when the decision was recorded; `undefined` where the record holds only what the gateway itself decided (policy failed, or a
 * redaction could not be applied). A limit that was reached and an approval that people refused came on top of policy's answer, which is given.
 */
export function recordedVerdict(entry: Entrypoint, decision: AuditDecision): Verdict | undefined {
  const { effect, reasons, redactions = [], limits = [], labels = [], fault } = decision;
  const [first] = reasons;
  if (fault !== undefined || first?.rule === 'gateway/redaction') return undefined;
  if (entry === 'gateway/list') {
    const count = /^(\d+) visible$/.exec(first?.message ?? '')?.[1];
    return count === undefined ? undefined : listVerdict(Number(count));
  }
  const said: Effect =
    effect !== 'deny'
      ? effect
      : first?.rule === 'gateway/approval'
        ? 'require_approval'
        : limits.length === 0
          ? 'deny'
          : redactions.length === 0
            ? 'allow'
            : 'redact';
  const limited = effect === 'deny' && said !== 'deny' && said !== 'require_approval' ? first?.rule : undefined;
  return {
    effect: said,
    rules: limited === undefined ? rulesOf(said, reasons) : [limited],
    redactions: redactions.map(redactionKey).sort(),
    limits: limits.map(limitKey).sort(),
    labels,
    ...(limited === undefined ? {} : { limited }),
  };
}

/** How `now` differs from `was`, if it does. The effect first; where that is the same, what is redacted, counted or listed. */
export function difference(was: Verdict, now: Verdict): Kind | undefined {
  if (was.visible !== undefined || now.visible !== undefined) {
    if (now.effect !== was.effect) return now.effect === 'deny' ? 'newly_denied' : 'newly_allowed';
    return was.visible === now.visible ? undefined : 'list_changed';
  }
  if (was.limited !== undefined) {
    if (now.effect === 'require_approval') return 'newly_needing_approval';
    // Under a limit of its own the call may be denied again, which only counting can say.
    if (now.effect !== 'deny' && !now.limits.some((limit) => limit.startsWith(`${was.limited ?? ''} `))) return 'newly_allowed';
    return now.effect === 'deny' || same(was.limits, now.limits) ? undefined : 'limits_changed';
  }
  if (was.effect !== now.effect) {
    if (now.effect === 'deny') return 'newly_denied';
    if (now.effect === 'require_approval') return 'newly_needing_approval';
    if (was.effect === 'deny' || was.effect === 'require_approval') return 'newly_allowed';
    return now.effect === 'redact' ? 'newly_redacted' : 'redactions_changed';
  }
  // What a denial would redact or count is moot.
  if (now.effect === 'deny') return undefined;
  if (!same(was.redactions, now.redactions)) return 'redactions_changed';
  return same(was.limits, now.limits) ? undefined : 'limits_changed';
}

const nothing = { rules: [], redactions: [], limits: [], labels: [] } as const;

function listVerdict(visible: number): Verdict {
  return { ...nothing, effect: 'allow', visible };
}

function rulesOf(effect: Effect, reasons: AuditDecision['reasons']): string[] {
  return [...new Set(reasons.filter((reason) => reason.effect === effect).map(({ rule }) => rule))].sort();
}

function redactionKey({ pointer, detector, as, with: text }: Redaction): string {
  return `${pointer ?? `detector ${detector ?? ''}`} ${as}${text === undefined ? '' : ` ${JSON.stringify(text)}`}`;
}

function limitKey({ rule, key, max, per_s: perS }: Limit): string {
  return `${rule} ${key} ${max} per ${perS} s`;
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
