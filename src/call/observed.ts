import type { Decision, PolicyFault } from '../model/decision.ts';
import type { Parts } from './parts.ts';

/** Faults that are the gateway's own: nothing was decided then, so there is nothing to observe. */
const unasked: ReadonlySet<PolicyFault> = new Set(['no_release', 'overload']);

/** Whether the endpoint only observes: everything is decided and recorded, and nothing is refused, held or changed because of policy. */
export function isObserved(parts: Pick<Parts, 'settings'>, endpoint: string): boolean {
  return parts.settings().observedEndpoints?.has(endpoint) === true;
}

/** A decision as it is recorded where it is only observed. One that was never asked of policy stands. */
export function unenforced(decision: Decision): Decision {
  return decision.fault !== undefined && unasked.has(decision.fault) ? decision : { ...decision, enforced: false };
}

/** What is done instead of a decision that is not enforced: the call goes on as it came, with the labels that policy gives it. */
export function actedOn(decision: Decision): Decision {
  if (decision.enforced !== false) return decision;
  const { fault: _, approval: __, ...rest } = decision;
  return { ...rest, effect: 'allow', redactions: [], limits: [] };
}
