import type { GatewayError } from '../model/errors.ts';

/** A protected resource: one MCP endpoint, by the URL that people type. */
export interface ProtectedResource {
  /** The public URL, exactly; no trailing slash. */
  readonly resource: string;
  readonly authorizationServers: readonly string[];
  /** What a client should ask for at first; keep it minimal. */
  readonly scopes: readonly string[];
  readonly name?: string | undefined;
}

/** The metadata document of a protected resource. @see RFC 9728 section 2 */
export function resourceMetadata(resource: ProtectedResource): Readonly<Record<string, unknown>> {
  return {
    resource: resource.resource,
    authorization_servers: resource.authorizationServers,
    // `offline_access` is for the client to ask of its issuer, not of a resource (MCP 2025-11-25).
    scopes_supported: resource.scopes.filter((scope) => scope !== 'offline_access'),
    bearer_methods_supported: ['header'],
    ...(resource.name === undefined ? {} : { resource_name: resource.name }),
  };
}

/** Where the metadata of `resource` is: the well-known segment goes between host and path. @see RFC 9728 section 3.1 */
export function resourceMetadataUrl(resource: string): string {
  const url = new URL(resource);
  const path = url.pathname === '/' ? '' : url.pathname;
  return `${url.origin}/.well-known/oauth-protected-resource${path}${url.search}`;
}

/** What a challenge points the client to. */
export interface ChallengeContext {
  readonly resourceMetadataUrl: string;
  /** Everything that this operation needs, in one list, so that one step up is enough. */
  readonly scopes?: readonly string[] | undefined;
}

/**
 * The `WWW-Authenticate` value for a 401 or 403; `undefined` for an error that no token would cure.
 * A request that brought no token gets no error code.
 * @see RFC 6750 section 3, RFC 9728 section 5.1, MCP 2025-11-25 basic/authorization
 */
export function challenge(error: Pick<GatewayError, 'code' | 'message' | 'detail'>, context: ChallengeContext): string | undefined {
  const code = challengeCodes.get(error.code);
  if (code === undefined) return undefined;
  const needed = error.detail?.['scopes'];
  const scopes = code === 'insufficient_scope' && Array.isArray(needed) ? (needed as string[]) : (context.scopes ?? []);
  const parameters = [
    ...(code === '' ? [] : [`error="${code}"`, `error_description="${quotable(error.message)}"`]),
    ...(scopes.length === 0 ? [] : [`scope="${quotable(scopes.join(' '))}"`]),
    `resource_metadata="${quotable(context.resourceMetadataUrl)}"`,
  ];
  return `Bearer ${parameters.join(', ')}`;
}

const challengeCodes: ReadonlyMap<string, string> = new Map([
  ['auth.required', ''],
  ['auth.invalid_token', 'invalid_token'],
  ['auth.insufficient_scope', 'insufficient_scope'],
]);

/** Only the characters that RFC 6750 section 3 allows; a quote or a line break cannot end the value. */
function quotable(text: string): string {
  return text
    .replaceAll('…', '...')
    .replace(/["\\]/g, "'")
    .replace(/[^\x20-\x7e]/g, '?');
}
