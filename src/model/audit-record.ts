import type { Effect, Limit, PolicyFault, Reason, Redaction } from './decision.ts';
import type { TargetKind } from './input.ts';

/**
 * One line of the audit log. `decided` is durable before anything is sent; `finished` follows with the same call id and says only how it ended; `refused` is a
 * request that never reached policy (no identity, bad JSON); `admin` and `system` are what people and the gateway itself did.
 */
export interface AuditRecord {
  readonly v: 1;
  readonly kind: 'decided' | 'finished' | 'refused' | 'admin' | 'system';
  /** ISO 8601, UTC, milliseconds. */
  readonly at: string;
  readonly tenant: string;
  readonly call?: string;
  readonly trace?: string;
  readonly session?: string;
  readonly ip?: string;
  readonly who?: {
    readonly issuer: string;
    readonly subject: string;
    readonly client: string;
    readonly groups: readonly string[];
    readonly for?: string;
  };
  readonly what?: AuditSubject;
  readonly decision?: AuditDecision;
  readonly approval?: { readonly id: string; readonly state: string; readonly by?: readonly string[] };
  readonly outcome?: AuditOutcome;
  /** For refused, admin and system: what happened, a stable code and words. For finished: why its end is not known. */
  readonly event?: { readonly code: string; readonly message: string; readonly detail?: Record<string, string | number | boolean | null> };
}

export interface AuditSubject {
  readonly phase: string;
  readonly method: string;
  readonly endpoint: string;
  readonly kind: TargetKind;
  readonly server: string | null;
  readonly name: string;
  readonly exposed?: string;
  /** The tool's trusted labels. */
  readonly labels?: readonly string[];
  readonly arguments_digest?: string;
  readonly definition_digest?: string;
  readonly bytes: number;
}

export interface AuditDecision {
  readonly effect: Effect;
  readonly reasons: readonly Reason[];
  readonly dry_run?: readonly Reason[];
  readonly redactions?: readonly Redaction[];
  readonly limits?: readonly Limit[];
  readonly labels?: readonly string[];
  readonly release: string;
  /** Git commit of the release, where its policy is in Git; in `decided` records. */
  readonly commit?: string;
  /** A commitment to the whole input, which only its salt opens; where inputs are not kept, to what policy read of it. */
  readonly input_digest: string;
  /** Where the input is not kept as it was: changed or dropped by policy's mask, or beyond `audit.inputs.max_bytes`. */
  readonly input?: 'masked' | 'dropped' | 'too_large';
  readonly took_ms: number;
  readonly fault?: PolicyFault;
  /** `false`: this would have been done, and was not, because the endpoint only observes. */
  readonly enforced?: false;
}

export interface AuditOutcome {
  readonly status: 'ok' | 'tool_error' | 'denied' | 'withheld' | 'held' | 'input_required' | 'upstream_error' | 'cancelled' | 'unknown';
  readonly error_code?: string;
  readonly bytes: number;
  readonly total_ms: number;
  readonly upstream_ms?: number;
  /** The JSON-RPC id under which the upstream got it, within its session there. */
  readonly upstream_request_id?: number;
  /** Places that a redaction changed in what came back. */
  readonly redacted?: number;
}
