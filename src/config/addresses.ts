import { isIPv6 } from 'node:net';
import type { Config } from './schema-types.ts';
import { isLoopbackHost } from './url-rule.ts';

/** The origin under which agents reach the gateway. `boundPort` is what it listens on, for a configured port of 0. */
export function publicUrl(config: Pick<Config, 'listen'>, boundPort: number = config.listen.port): string {
  const { host, public_url } = config.listen;
  return public_url ?? new URL(`http://${isIPv6(host) ? `[${host}]` : host}:${boundPort}`).origin;
}

/** The public URL of an endpoint: what agents connect to, and the audience that their tokens name (RFC 8707). */
export function endpointUrl(config: Pick<Config, 'listen'>, name: string, boundPort?: number): string {
  return `${publicUrl(config, boundPort)}/mcp/${name}`;
}

/** The audiences that open an endpoint for tokens of an issuer. */
export function audiencesOf(
  config: Pick<Config, 'listen'>,
  issuer: Config['issuers'][number],
  endpoint: string,
  boundPort?: number,
): readonly string[] {
  return issuer.audience === 'endpoint' ? [endpointUrl(config, endpoint, boundPort)] : issuer.audience;
}

/** The values of `Host` that are accepted, lower case. */
export function allowedHosts(config: Pick<Config, 'listen'>, boundPort: number = config.listen.port): ReadonlySet<string> {
  const { host, allowed_hosts } = config.listen;
  const local = isLoopbackHost(host)
    ? ['localhost', '127.0.0.1', '[::1]', isIPv6(host) ? `[${host}]` : host].map((name) => `${name}:${boundPort}`)
    : [];
  return new Set([new URL(publicUrl(config, boundPort)).host, ...local, ...allowed_hosts].map((name) => name.toLowerCase()));
}

/** The values of `Origin` that are accepted where a request has one. */
export function allowedOrigins(config: Pick<Config, 'listen'>, boundPort?: number): ReadonlySet<string> {
  return new Set([publicUrl(config, boundPort), ...config.listen.allowed_origins]);
}
