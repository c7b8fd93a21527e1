import { GatewayError } from '../model/errors.ts';
import { tokenRefusal } from './token-refusal.ts';

/**
 * The token of an `Authorization: Bearer` header.
 * @throws GatewayError `auth.required` without a header or with another scheme, `auth.invalid_token` when it is no token68
 * @see RFC 6750 section 2.1
 */
export function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined || !/^bearer(?: |$)/i.test(authorization))
    throw new GatewayError('auth.required', 'send an access token in the header `Authorization: Bearer …`');
  const token = authorization.slice('bearer '.length);
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token)) throw tokenRefusal('malformed', 'the authorization header does not hold one bearer token');
  return token;
}
