import type { Decision, Entrypoint, PolicyAnswer, PolicyFault } from '../model/decision.ts';
import type { Digest, ReleaseId } from '../model/ids.ts';
import type { ActiveRelease, Evaluation } from '../model/ports.ts';
import type { InputDocument } from './build-input.ts';
import type { Parts } from './parts.ts';

const none: readonly never[] = [];

const noRelease = { ok: false, fault: 'no_release', message: '', tookMs: 0 } as const;

/** What an agent is told where policy could not decide; the detail is in the audit record and the log. */
const faultWords: Readonly<Record<PolicyFault, string>> = {
  undefined: 'policy gave no answer',
  malformed: 'policy gave an answer that is not a decision',
  error: 'policy failed',
  timeout: 'policy took too long',
  memory: 'policy needed too much memory',
  overload: 'policy has too much to do; try again in a moment',
  no_release: 'no policy is in force',
};

/**
 * Asks the release about the input. Every fault (undefined, malformed, error, time-out, no release) is a deny that says so.
 * @see docs/architecture.md stage 5
 */
export async function decide(
  parts: Parts,
  release: ActiveRelease | undefined,
  entry: Exclude<Entrypoint, 'gateway/list' | 'gateway/mask'>,
  input: InputDocument,
): Promise<Decision> {
  if (release === undefined) return faulted(parts, noRelease, 'none' as ReleaseId, input.digest);
  const evaluation = await release.engine.evaluate(entry, input.json, parts.settings().decisionDeadlineMs);
  return evaluation.ok
    ? answered(evaluation.answer, release.id, input.digest, evaluation.tookMs)
    : faulted(parts, evaluation, release.id, input.digest);
}

/** The names that `gateway/list` lets the identity see; on a fault none, with the deny that says why. */
export async function decideList(
  parts: Parts,
  release: ActiveRelease | undefined,
  input: InputDocument,
): Promise<{ readonly visible: ReadonlySet<string>; readonly decision: Decision }> {
  if (release === undefined) return { visible: new Set(), decision: faulted(parts, noRelease, 'none' as ReleaseId, input.digest) };
  const evaluation = await release.engine.evaluate('gateway/list', input.json, parts.settings().decisionDeadlineMs);
  if (!evaluation.ok) return { visible: new Set(), decision: faulted(parts, evaluation, release.id, input.digest) };
  const reasons = [{ rule: 'gateway/list', effect: 'allow' as const, message: `${evaluation.answer.visible.length} visible` }];
  return {
    visible: new Set(evaluation.answer.visible),
    decision: {
      effect: 'allow',
      reasons,
      redactions: none,
      labels: none,
      limits: none,
      dryRun: none,
      release: release.id,
      inputDigest: input.digest,
      tookMs: evaluation.tookMs,
    },
  };
}

function answered(answer: PolicyAnswer, release: ReleaseId, inputDigest: Digest, tookMs: number): Decision {
  const { effect, reasons, redactions, labels, limits, approval, dry_run: dryRun } = answer;
  const decision = { effect, reasons, redactions, labels, limits, dryRun, release, inputDigest, tookMs };
  return approval === undefined || approval === null ? decision : { ...decision, approval };
}

function faulted(parts: Parts, evaluation: Extract<Evaluation<unknown>, { ok: false }>, release: ReleaseId, inputDigest: Digest): Decision {
  parts.observer.fault(evaluation.fault, release, evaluation.rule);
  return faultDecision(evaluation.fault, evaluation.message || undefined, release, inputDigest, evaluation.tookMs);
}

/** A deny that the gateway makes because policy could not. */
export function faultDecision(
  fault: PolicyFault,
  detail: string | undefined,
  release: ReleaseId,
  inputDigest: Digest,
  tookMs: number,
): Decision {
  const message = detail === undefined ? faultWords[fault] : `${faultWords[fault]}: ${detail}`;
  return {
    effect: 'deny',
    reasons: [{ rule: `gateway/${fault}`, effect: 'deny', message }],
    redactions: none,
    labels: none,
    limits: none,
    dryRun: none,
    release,
    inputDigest,
    tookMs,
    fault,
  };
}

/** The decision, denied for one more reason that the gateway itself has (a limit reached, a redaction that cannot be applied). */
export function overruled(decision: Decision, reason: Decision['reasons'][number]): Decision {
  return { ...decision, effect: 'deny', reasons: [reason] };
}

/** What the agent may read of a decision: messages and hints, and for a fault not what failed inside policy. */
export function wordsFor(decision: Decision): string {
  if (decision.fault !== undefined) return faultWords[decision.fault];
  const shown = decision.reasons.filter((reason) => reason.effect === decision.effect);
  const words = shown.map((reason) => (reason.hint === undefined ? reason.message : `${reason.message} (${reason.hint})`));
  return words.length === 0 ? 'policy does not allow it' : words.join('; ');
}
