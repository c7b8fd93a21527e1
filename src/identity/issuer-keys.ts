import { GatewayError } from '../model/errors.ts';
import { fetchDocument } from './fetch-document.ts';
import { discoverJwksUri } from './issuer-metadata.ts';
import { readKeySet, type KeySet } from './key-set.ts';
import type { IdentityEvent, IssuerSettings, KeySettings } from './options.ts';
import type { PlainGet } from './plain-get.ts';
import type { SigningKey } from './signing-key.ts';

interface Deps {
  readonly issuer: Pick<IssuerSettings, 'issuer' | 'jwksUri'>;
  readonly times: KeySettings;
  readonly nowMs: () => number;
  readonly fetch: PlainGet;
  readonly onEvent: (event: IdentityEvent) => void;
}

/** How an issuer's keys stand, for readiness and metrics. */
export interface IssuerStatus {
  readonly issuer: string;
  readonly state: 'none' | 'fresh' | 'stale' | 'expired';
  readonly keys: number;
  readonly fetchedAtMs: number | null;
}

/**
 * The keys of one issuer: fetched when they are needed, refreshed while they serve, kept for a bounded time while the issuer does not
 * answer. One fetch at a time, and none within `minFetchIntervalS` of the last, however many unknown key ids arrive.
 */
export class IssuerKeys {
  readonly #deps: Deps;
  #keys: KeySet | undefined;
  #jwksUri: URL | undefined;
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #attemptedAtMs = Number.NEGATIVE_INFINITY;
  #failing = false;
  #refreshing: Promise<void> | undefined;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#jwksUri = deps.issuer.jwksUri;
  }

  /** The keys, if they may serve at once; starts a refresh in the background when one is due. `undefined`: await {@link load}. */
  usable(nowMs: number): KeySet | undefined {
    if (this.#keys === undefined) return undefined;
    const ageS = (nowMs - this.#fetchedAtMs) / 1000;
    const { refreshS, maxAgeS, staleIfErrorS } = this.#deps.times;
    if (ageS >= 0 && ageS < refreshS) return this.#keys;
    // INVARIANT: beyond maxAgeS only a failed fetch lets old keys serve, so a withdrawn key outlives it only while the issuer is down.
    if (ageS < maxAgeS || (this.#failing && ageS < maxAgeS + staleIfErrorS)) {
      if (this.#mayFetch(nowMs)) void this.#refresh(nowMs);
      return this.#keys;
    }
    return undefined;
  }

  /** The keys, fetched if need be. @throws GatewayError `auth.issuer_down` when there are none that may serve */
  async load(nowMs: number): Promise<KeySet> {
    const keys = this.usable(nowMs);
    if (keys !== undefined) return keys;
    await this.#refreshIfAllowed(nowMs);
    // The wait may have ended in a failure: then keys within the stale bound serve after all.
    const served = this.usable(nowMs);
    if (served === undefined) throw this.#down(nowMs);
    return served;
  }

  /**
   * The key for a key id and an algorithm; an unknown one is looked for at the issuer, once per `minFetchIntervalS`.
   * @throws GatewayError `auth.issuer_down` when it cannot be told whether the issuer publishes it
   */
  async find(kid: string | undefined, algorithm: string, nowMs: number): Promise<SigningKey | undefined> {
    const known = (await this.load(nowMs)).find(kid, algorithm);
    if (known !== undefined) return known;
    await this.#refreshIfAllowed(nowMs);
    const found = this.#keys?.find(kid, algorithm);
    // While the issuer is down its newest key is unknown here: that is no reason to call the token invalid.
    if (found === undefined && this.#failing) throw this.#down(nowMs);
    return found;
  }

  status(nowMs: number): IssuerStatus {
    const { maxAgeS, staleIfErrorS } = this.#deps.times;
    const ageS = (nowMs - this.#fetchedAtMs) / 1000;
    const state = ageS < maxAgeS ? 'fresh' : ageS < maxAgeS + staleIfErrorS ? 'stale' : 'expired';
    const { issuer } = this.#deps.issuer;
    if (this.#keys === undefined) return { issuer, state: 'none', keys: 0, fetchedAtMs: null };
    return { issuer, state, keys: this.#keys.size, fetchedAtMs: this.#fetchedAtMs };
  }

  #mayFetch(nowMs: number): boolean {
    // A clock that was set back must not hold fetches up until it has caught up.
    const sinceMs = nowMs - this.#attemptedAtMs;
    return this.#refreshing === undefined && (sinceMs < 0 || sinceMs >= this.#deps.times.minFetchIntervalS * 1000);
  }

  async #refreshIfAllowed(nowMs: number): Promise<void> {
    if (this.#refreshing !== undefined) await this.#refreshing;
    else if (this.#mayFetch(nowMs)) await this.#refresh(nowMs);
  }

  /** Never rejects: a failure is kept as state and reported. */
  #refresh(nowMs: number): Promise<void> {
    this.#attemptedAtMs = nowMs;
    this.#refreshing = this.#fetch()
      .then((keys) => {
        this.#keys = keys;
        this.#fetchedAtMs = this.#deps.nowMs();
        this.#failing = false;
        this.#deps.onEvent({ kind: 'keys.refreshed', issuer: this.#deps.issuer.issuer, keys: keys.size, refused: keys.refused });
      })
      .catch((error: unknown) => {
        this.#failing = true;
        // The issuer may have moved its keys: look its metadata up again next time.
        this.#jwksUri = this.#deps.issuer.jwksUri;
        this.#deps.onEvent({ kind: 'keys.failed', issuer: this.#deps.issuer.issuer, message: messageOf(error) });
      })
      .finally(() => {
        this.#refreshing = undefined;
      });
    return this.#refreshing;
  }

  async #fetch(): Promise<KeySet> {
    const { fetch, times, issuer } = this.#deps;
    const limits = { fetch, maxBytes: times.maxBytes, signal: AbortSignal.timeout(times.timeoutMs) };
    this.#jwksUri ??= await discoverJwksUri(issuer.issuer, limits);
    const document = await fetchDocument(this.#jwksUri, limits);
    if (document === undefined) throw new Error(`no key set at \`${this.#jwksUri.href}\``);
    return readKeySet(document);
  }

  #down(nowMs: number): GatewayError {
    const waitMs = this.#attemptedAtMs + this.#deps.times.minFetchIntervalS * 1000 - nowMs;
    return new GatewayError('auth.issuer_down', 'the keys of the token issuer cannot be fetched; try again later', {
      detail: { retry_after_s: Math.max(1, Math.ceil(waitMs / 1000)) },
    });
  }
}

/** The message, and the one beneath it, which says why. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
