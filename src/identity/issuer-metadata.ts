import { fetchDocument, isLoopback, trustedUrl, type FetchLimits } from './fetch-document.ts';

/** Where an issuer's metadata may be, in the order that MCP asks for: OAuth path-inserted, OpenID path-inserted, OpenID appended. */
export function metadataUrls(issuer: URL): URL[] {
  const path = issuer.pathname.replace(/\/$/, '');
  const places = [
    `/.well-known/oauth-authorization-server${path}`,
    `/.well-known/openid-configuration${path}`,
    `${path}/.well-known/openid-configuration`,
  ];
  return [...new Set(places)].map((place) => new URL(place, issuer.origin));
}

/**
 * Finds the key set of `issuer` through its metadata, whose `issuer` must be the very same string.
 * @throws Error when no place has fitting metadata, or the key set's address is not one to trust
 * @see RFC 8414 section 3, OpenID Connect Discovery section 4, MCP 2025-11-25 basic/authorization
 */
export async function discoverJwksUri(issuer: string, limits: FetchLimits): Promise<URL> {
  const issuerUrl = new URL(issuer);
  let failure: unknown;
  for (const url of metadataUrls(issuerUrl)) {
    try {
      const metadata = await fetchDocument(url, limits);
      if (metadata === undefined) continue;
      if (metadata['issuer'] !== issuer) throw new Error(`the metadata at \`${url.href}\` is of another issuer`);
      return jwksUriOf(metadata, issuerUrl);
    } catch (error) {
      failure ??= error; // The next place may have it; if none has, the first failure is thrown.
      if (limits.signal.aborted) break;
    }
  }
  throw failure instanceof Error ? failure : new Error(`no metadata found for issuer \`${issuer}\``);
}

function jwksUriOf(metadata: Readonly<Record<string, unknown>>, issuer: URL): URL {
  const text = metadata['jwks_uri'];
  const url = typeof text === 'string' ? trustedUrl(text) : undefined;
  // A remote issuer must not point the gateway at its own machine.
  if (url === undefined || (isLoopback(url) && !isLoopback(issuer)))
    throw new Error('the metadata names no `jwks_uri` that can be trusted');
  return url;
}
