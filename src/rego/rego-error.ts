import { GatewayError, type ErrorCode } from '../model/errors.ts';

/** One error of OPA with its place. `message` is OPA's own text, `hint` is ours. */
export interface RegoFault {
  readonly file?: string;
  /** Line, from 1. */
  readonly row?: number;
  /** Column in bytes, from 1. */
  readonly col?: number;
  /** OPA's code, such as `rego_type_error`. */
  readonly code: string;
  readonly message: string;
  readonly details?: readonly string[];
  readonly hint?: string;
  /** The refused builtin, where that is the fault. */
  readonly builtin?: string;
}

/**
 * - `request`: the call has no meaning (code `request.invalid`)
 * - `rego`: the policy or its data is wrong (`policy.invalid`)
 * - `eval`: the evaluation failed (`policy.fault`)
 * - `panic`: a defect in OPA or here, `died`: the module ended, `timeout`: it was ended (`policy.fault`)
 * - `closed`: the host was closed meanwhile (`gateway.stopping`)
 */
export type RegoErrorKind = 'request' | 'rego' | 'eval' | 'panic' | 'died' | 'timeout' | 'closed';

const codes: Record<RegoErrorKind, ErrorCode> = {
  request: 'request.invalid',
  rego: 'policy.invalid',
  eval: 'policy.fault',
  panic: 'policy.fault',
  died: 'policy.fault',
  timeout: 'policy.fault',
  closed: 'gateway.stopping',
};

/** A failure of an operation of OPA; `faults` name the places in the files. */
export class RegoError extends GatewayError {
  readonly kind: RegoErrorKind;
  readonly faults: readonly RegoFault[];

  constructor(kind: RegoErrorKind, message: string, faults: readonly RegoFault[] = [], cause?: unknown) {
    super(codes[kind], message, { cause, detail: { errors: faults } });
    this.name = 'RegoError';
    this.kind = kind;
    this.faults = faults;
  }
}

/** `file:row:col: code: message`, one line for each fault, each followed by its details and hint. */
export function describeFaults(faults: readonly RegoFault[]): string {
  return faults.map(describeFault).join('\n');
}

function describeFault(fault: RegoFault): string {
  const place = fault.file === undefined ? '' : `${[fault.file, fault.row, fault.col].filter((part) => part !== undefined).join(':')}: `;
  const lines = [`${place}${fault.code}: ${fault.message}`, ...(fault.details ?? []).map((line) => `  ${line}`)];
  return [...lines, ...(fault.hint === undefined ? [] : [`  ${fault.hint}`])].join('\n');
}
