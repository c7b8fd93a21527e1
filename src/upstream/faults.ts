import { GatewayError, type ErrorCode } from '../model/errors.ts';

const words = {
  'upstream.unreachable': 'cannot be reached; try again later',
  'upstream.protocol': 'broke the protocol; its operator has to look',
  'upstream.too_large': 'sent more than the limit; ask for less at once',
  'upstream.timeout': 'did not answer in time; try again later or ask for less at once',
  'upstream.credential': 'does not accept the gateway’s credential; its operator has to look',
  'call.cancelled': 'was told that this call is cancelled',
} as const satisfies Partial<Record<ErrorCode, string>>;

export type UpstreamFault = keyof typeof words;

/**
 * A fault of an upstream, in words that may go to a client: which upstream and what to do, never a URL, a secret or the upstream's own text.
 * `why` is for the log and stays in the cause.
 */
export function fault(code: UpstreamFault, upstream: string, why: string, cause?: unknown): GatewayError {
  return new GatewayError(code, `the upstream \`${upstream}\` ${words[code]}`, {
    cause: cause === undefined ? new Error(why) : new Error(why, { cause }),
  });
}

/** A fault after the request was sent: `detail.may_have_run` says that the upstream may have executed it. */
export function callFault(code: UpstreamFault, upstream: string, why: string, cause?: unknown): GatewayError {
  const known = fault(code, upstream, why, cause);
  return new GatewayError(code, known.message, { cause: known.cause, detail: { may_have_run: true } });
}

/** What a call is told when the session it needs cannot be opened: `initialize` may have run, but that call was never sent. */
export function openFault(upstream: string, error: unknown): GatewayError {
  return fault(faultCodeOf(error), upstream, 'the session could not be opened', error);
}

/** The code of a fault of this room; anything else counts as `upstream.unreachable`. */
export function faultCodeOf(error: unknown): UpstreamFault {
  return error instanceof GatewayError && Object.hasOwn(words, error.code) ? (error.code as UpstreamFault) : 'upstream.unreachable';
}

/** What is behind a fault, in one line for the log. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const cause = error.cause;
  if (error instanceof GatewayError && cause instanceof Error) return `${error.code}: ${reasonOf(cause)}`;
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
  const below = cause instanceof Error ? `: ${reasonOf(cause)}` : '';
  return `${error.message}${code}${below}`.slice(0, 500);
}
