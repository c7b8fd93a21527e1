import { randomBytes } from 'node:crypto';
import type { CallSettings, Content } from '../call/parts.ts';
import { allowedHosts, allowedOrigins, publicUrl } from '../config/addresses.ts';
import type { Config } from '../config/schema-types.ts';
import type { ApiKeyVerifier, IdentityEvent } from '../identity/options.ts';
import type { Log } from '../observe/log.ts';
import { version } from '../version.ts';
import { openContent } from './content.ts';
import { openDoors, type Doors } from './identity.ts';

/** What a configuration sets and a reload can change; swapped whole. */
export interface InForce {
  readonly config: Config;
  readonly doors: Doors;
  readonly content: Content;
  readonly settings: CallSettings;
  readonly hosts: ReadonlySet<string>;
  readonly origins: ReadonlySet<string>;
}

/** The configuration in force. */
export class Live {
  readonly #apiKeys: ApiKeyVerifier;
  readonly #onIdentity: (event: IdentityEvent) => void;
  readonly #hashKey = randomBytes(32);
  #inForce: InForce | undefined;

  constructor(apiKeys: ApiKeyVerifier, onIdentity: (event: IdentityEvent) => void) {
    this.#apiKeys = apiKeys;
    this.#onIdentity = onIdentity;
  }

  get now(): InForce {
    if (this.#inForce === undefined) throw new TypeError('no configuration is in force yet');
    return this.#inForce;
  }

  /**
   * Builds everything that `config` sets, and only then puts it in force. Verified tokens and fetched keys stay where nothing changed that
   * they depend on. @throws GatewayError `config.invalid`
   */
  async use(config: Config): Promise<void> {
    const before = this.#inForce;
    const isSame = before !== undefined && JSON.stringify(doorFacts(before.config)) === JSON.stringify(doorFacts(config));
    const doors = isSame ? before.doors : openDoors(config, publicUrl(config), this.#apiKeys, this.#onIdentity);
    // So that the first call need not wait. An issuer that is down does not stop the start: its tokens are answered with 503 until it is up.
    if (!isSame) await doors.warm();
    this.#inForce = {
      config,
      doors,
      content: openContent(config.content, this.#hashKey),
      settings: settingsOf(config),
      hosts: allowedHosts(config),
      origins: allowedOrigins(config),
    };
  }
}

function settingsOf({ environment, policy, limits, approvals, audit, endpoints }: Config): CallSettings {
  const observed = observedEndpoints(endpoints);
  return {
    observedEndpoints: observed.length === 0 ? undefined : new Set(observed),
    keepInputBytes: audit.inputs.enabled ? audit.inputs.max_bytes : 0,
    environmentJson: JSON.stringify(environment),
    decisionDeadlineMs: policy.deadline_ms,
    callTimeoutMs: limits.call_timeout_ms,
    approvalWaitMs: approvals.wait_ms,
    maxCallsInFlight: limits.calls_in_flight,
    questionTimeoutMs: limits.question_timeout_ms,
    serverInfo: { name: 'castellan', title: `Castellan (${environment.name})`, version },
  };
}

/** The endpoints that only observe. */
export function observedEndpoints(endpoints: Config['endpoints']): readonly string[] {
  return Object.entries(endpoints).flatMap(([name, { enforcement }]) => (enforcement === 'observe' ? [name] : []));
}

/** Says in the log that not everything is enforced. */
export function tellObserved(log: Pick<Log, 'warn'>, { endpoints }: Pick<Config, 'endpoints'>): void {
  const observed = observedEndpoints(endpoints);
  if (observed.length > 0) log.warn('enforcement.observed', { endpoints: observed.join(', ') });
}

/** What identity depends on. */
function doorFacts({ issuers, issuer_keys, api_keys, admin, endpoints, listen: { public_url }, tenant }: Config): unknown {
  return [issuers, issuer_keys, api_keys, admin, Object.keys(endpoints), public_url, tenant];
}
