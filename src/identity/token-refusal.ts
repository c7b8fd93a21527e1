import { GatewayError } from '../model/errors.ts';

/** Why a token was refused: stable, for tests, audit and metrics. */
export type TokenRefusalReason =
  | 'malformed'
  | 'header'
  | 'algorithm'
  | 'type'
  | 'issuer'
  | 'key'
  | 'signature'
  | 'audience'
  | 'expired'
  | 'not_yet_valid'
  | 'too_old'
  | 'claims'
  | 'bound'
  | 'api_key';

/** An `auth.invalid_token` whose `detail.reason` is `reason`. The message never holds text from the token: it goes into a header. */
export function tokenRefusal(reason: TokenRefusalReason, message: string, cause?: unknown): GatewayError {
  return new GatewayError('auth.invalid_token', message, { detail: { reason }, ...(cause === undefined ? {} : { cause }) });
}
