import type { Environment } from '../cli/application.ts';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import { asGatewayError, GatewayError } from '../model/errors.ts';
import { tellObserved } from './live.ts';
import { systemRecord, type Rooms } from './rooms.ts';
import { upstreamOptions } from './upstreams.ts';

/** What is opened once: a change of it needs a restart. */
const fixedKeys = ['listen', 'tenant', 'store', 'audit', 'log', 'metrics', 'telemetry', 'policy'] as const;

/** Applies changes of the configuration file, one at a time. */
export class Reloader {
  readonly #rooms: Rooms;
  readonly #configPath: string;
  readonly #env: Environment;
  /** Told of a configuration that came into force, so that the files it names are watched. */
  readonly #onLoaded: (loaded: LoadedConfig) => void;
  #loaded: LoadedConfig;
  #problem: string | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    rooms: Rooms,
    start: { configPath: string; env: Environment; loaded: LoadedConfig },
    onLoaded: (loaded: LoadedConfig) => void,
  ) {
    this.#rooms = rooms;
    this.#configPath = start.configPath;
    this.#env = start.env;
    this.#loaded = start.loaded;
    this.#onLoaded = onLoaded;
  }

  /** What is wrong with the file as it is now, where that is not in force. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /**
   * Reads configuration and policy again. A bad file changes nothing and is told in the log, in a metric and on `/readyz`.
   * Never rejects: the answer says what came of it.
   */
  reload(): Promise<unknown> {
    const next = this.#last.then(() => this.#run());
    this.#last = next;
    return next;
  }

  async #run(): Promise<unknown> {
    const { observation, releases, audit, tenant } = this.#rooms;
    try {
      await this.#apply();
      this.#problem = undefined;
    } catch (error) {
      this.#problem = asGatewayError(error).message;
      observation.configRefused();
      audit.hand(systemRecord(tenant, 'config.refused', this.#problem));
      observation.log.error('config.refused', { error });
    }
    const release = await releases.reload();
    return { config: this.#problem === undefined ? { ok: true } : { ok: false, problem: this.#problem }, release };
  }

  async #apply(): Promise<void> {
    const { observation, upstreams, live, endpoints, sessions, listChanges, audit } = this.#rooms;
    const next = loadConfig(this.#configPath, this.#env);
    const differs = (key: (typeof fixedKeys)[number]): boolean =>
      JSON.stringify(next.config[key]) !== JSON.stringify(this.#loaded.config[key]);
    const fixed = fixedKeys.filter(differs);
    if (fixed.length > 0) {
      const names = fixed.map((key) => `\`${key}\``).join(', ');
      throw new GatewayError('config.invalid', `${names} cannot change while the gateway runs; restart it to apply the file`);
    }
    observation.log.conceal(next.secrets.map((secret) => secret.reveal()));
    await upstreams.reconfigure(upstreamOptions(next.config));
    await live.use(next.config);
    tellObserved(observation.log, next.config);
    endpoints.use(next.config);
    this.#loaded = next;
    this.#onLoaded(next);
    listChanges.announce(['tools', 'resources', 'prompts'], (endpoint) => endpoints.has(endpoint));
    for (const one of [...sessions.all()]) if (!endpoints.has(one.session.endpoint)) sessions.end(one, Date.now());
    audit.hand(systemRecord(next.config.tenant, 'config.reloaded', 'the configuration was reloaded'));
    observation.log.info('config.reloaded');
  }
}
