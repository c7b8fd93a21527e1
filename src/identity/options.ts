import { GatewayError } from '../model/errors.ts';
import type { Identity } from '../model/identity.ts';
import type { Awaitable } from '../model/ports.ts';
import { signatureAlgorithms } from './algorithms.ts';
import type { ClaimPath } from './claim-path.ts';
import { trustedUrl } from './fetch-document.ts';
import type { PlainGet } from './plain-get.ts';

/** Who may issue tokens, and how their tokens are read. */
export interface IssuerOptions {
  /** Exactly the `iss` of its tokens and the `issuer` of its metadata. */
  readonly issuer: string;
  /** A token must name one of these, exactly. */
  readonly audiences: readonly string[];
  /** Signature algorithms, asymmetric only. Default: RS256, PS256, ES256, EdDSA. */
  readonly algorithms?: readonly string[] | undefined;
  /** Default: found through the issuer's metadata. */
  readonly jwksUri?: string | undefined;
  /** Allowed `typ` headers. Default: `at+jwt`, `application/at+jwt` (RFC 9068). */
  readonly types?: readonly string[] | undefined;
  /** How far clocks may disagree, 0 to 60. Default 30. */
  readonly leewayS?: number | undefined;
  /** A token older than this is refused, whatever its expiry. */
  readonly maxTokenAgeS?: number | undefined;
  /** The tenant of everybody from this issuer, unless `mapping.tenant` names a claim. Default: `default`. */
  readonly tenant?: string | undefined;
  /** The tenants that `mapping.tenant` may give. Required with it: a claim must not reach into another issuer's tenant. */
  readonly tenants?: readonly string[] | undefined;
  readonly mapping?: ClaimsMapping | undefined;
  /** Verified claims that policy may see. */
  readonly exposedClaims?: readonly string[] | undefined;
}

/** Which claims say what. */
export interface ClaimsMapping {
  /** Default `sub`. */
  readonly subject?: ClaimPath | undefined;
  /** A list, or names separated by spaces. Default `groups`. */
  readonly groups?: ClaimPath | undefined;
  /** A list, or names separated by spaces. Default `scope`, else `scp`. */
  readonly scopes?: ClaimPath | undefined;
  /** Default `client_id`, else `azp`. */
  readonly client?: ClaimPath | undefined;
  readonly tenant?: ClaimPath | undefined;
  /** The acting party of a delegated token (RFC 8693). Default `act`. */
  readonly actor?: ClaimPath | undefined;
}

/** How long published keys serve. */
export interface KeyTimes {
  /** A set this old is fetched again while it serves. Default 300. */
  readonly refreshS?: number | undefined;
  /** A set this old serves nobody before it is fetched again, so a withdrawn key is dead by then. Default 600. */
  readonly maxAgeS?: number | undefined;
  /** While fetching fails, a set serves this long beyond `maxAgeS`; then `auth.issuer_down`. Default 3600. */
  readonly staleIfErrorS?: number | undefined;
  /** Fetches of one issuer's keys are at least this far apart, whatever arrives. Default 30. */
  readonly minFetchIntervalS?: number | undefined;
  /** Time for one attempt, metadata and keys together. Default 5000. */
  readonly timeoutMs?: number | undefined;
  /** Size of one document. Default 524288. */
  readonly maxBytes?: number | undefined;
}

/** The store of API keys, as far as this room needs it. Gives `undefined` for a key that is unknown, revoked or expired. */
export interface ApiKeyVerifier {
  verify(token: string, nowMs: number): Awaitable<Identity | undefined>;
}

/** What happened to an issuer's keys, for the log and for metrics. */
export type IdentityEvent =
  | {
      readonly kind: 'keys.refreshed';
      readonly issuer: string;
      readonly keys: number;
      readonly refused: readonly { readonly kid: string; readonly reason: string }[];
    }
  | { readonly kind: 'keys.failed'; readonly issuer: string; readonly message: string };

export interface IdentityOptions {
  readonly issuers: readonly IssuerOptions[];
  readonly apiKeys?: ApiKeyVerifier | undefined;
  readonly keys?: KeyTimes | undefined;
  readonly cache?: { readonly maxEntries?: number | undefined; readonly maxAgeS?: number | undefined } | undefined;
  readonly clock?: { nowMs(): number } | undefined;
  /** How issuers' documents are fetched. */
  readonly fetch?: PlainGet | undefined;
  readonly onEvent?: ((event: IdentityEvent) => void) | undefined;
}

type Settled<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };

/** Issuer options with every default in place. */
export type IssuerSettings = Settled<Omit<IssuerOptions, 'jwksUri' | 'maxTokenAgeS' | 'tenants' | 'mapping'>> & {
  readonly jwksUri: URL | undefined;
  readonly maxTokenAgeS: number;
  readonly tenants: readonly string[];
  readonly mapping: ClaimsMapping;
};

export type KeySettings = Settled<KeyTimes>;

/** @throws GatewayError `config.invalid` naming the issuer and the cure */
export function settleIssuer(options: IssuerOptions): IssuerSettings {
  const wrong = (what: string): GatewayError => new GatewayError('config.invalid', `issuer \`${options.issuer}\`: ${what}`);
  if (trustedUrl(options.issuer) === undefined) throw wrong('use an https URL (http only on loopback)');
  if (options.audiences.length === 0 || options.audiences.includes('')) throw wrong('name at least one audience');
  const algorithms = options.algorithms ?? ['RS256', 'PS256', 'ES256', 'EdDSA'];
  const unknown = algorithms.find((name) => !signatureAlgorithms.has(name));
  if (unknown !== undefined || algorithms.length === 0)
    throw wrong(`algorithm \`${unknown ?? ''}\` is not one of ${[...signatureAlgorithms.keys()].join(', ')}`);
  const leewayS = options.leewayS ?? 30;
  if (!(leewayS >= 0 && leewayS <= 60)) throw wrong('leeway is 0 to 60 seconds');
  const maxTokenAgeS = options.maxTokenAgeS ?? Number.POSITIVE_INFINITY;
  if (!(maxTokenAgeS > 0)) throw wrong('the maximal token age is more than 0 seconds');
  const jwksUri = options.jwksUri === undefined ? undefined : trustedUrl(options.jwksUri);
  if (options.jwksUri !== undefined && jwksUri === undefined) throw wrong('use an https URL for `jwksUri` (http only on loopback)');
  const mapping = options.mapping ?? {};
  if (mapping.tenant !== undefined && (options.tenants ?? []).length === 0) throw wrong('list the tenants that the tenant claim may give');
  return {
    issuer: options.issuer,
    audiences: options.audiences,
    algorithms,
    jwksUri,
    types: (options.types ?? ['at+jwt', 'application/at+jwt']).map((type) => type.toLowerCase()),
    leewayS,
    maxTokenAgeS,
    tenant: options.tenant ?? 'default',
    tenants: options.tenants ?? [],
    mapping,
    exposedClaims: options.exposedClaims ?? [],
  };
}

/** @throws GatewayError `config.invalid` */
export function settleKeyTimes(times: KeyTimes = {}): KeySettings {
  const settings = {
    refreshS: times.refreshS ?? 300,
    maxAgeS: times.maxAgeS ?? 600,
    staleIfErrorS: times.staleIfErrorS ?? 3600,
    minFetchIntervalS: times.minFetchIntervalS ?? 30,
    timeoutMs: times.timeoutMs ?? 5000,
    maxBytes: times.maxBytes ?? 524_288,
  };
  if (!(settings.refreshS > 0 && settings.refreshS <= settings.maxAgeS && settings.staleIfErrorS >= 0))
    throw new GatewayError('config.invalid', 'key times: `refreshS` is more than 0 and at most `maxAgeS`, `staleIfErrorS` is not negative');
  return settings;
}
