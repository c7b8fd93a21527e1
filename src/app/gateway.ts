import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import { resolve } from 'node:path';
import { openDoors, type Doors } from './identity.ts';
import { auditStore, openAdminPorts, storeOptions } from './admin.ts';
import { observe, type Observation } from './observe.ts';
import { Compiler, openReleases } from './policy.ts';
import { Endpoints, upstreamOptions } from './upstreams.ts';
import { createApprovalBook } from '../approval/book.ts';
import { openAuditLog, type OpenAuditLog } from '../audit/open.ts';
import { History } from '../call/history.ts';
import { LimitCounter } from '../call/limits.ts';
import type { CallSettings, Content, Parts } from '../call/parts.ts';
import { Pipeline } from '../call/pipeline.ts';
import type { Environment, RunningGateway } from '../cli/application.ts';
import { allowedHosts, allowedOrigins, publicUrl } from '../config/addresses.ts';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import type { Config } from '../config/schema-types.ts';
import { watchConfig, type ConfigWatch } from '../config/watch.ts';
import { openContent } from './content.ts';
import type { McpEndpointPorts } from '../http/mcp-endpoint.ts';
import { createApp, listen, metricsApp, type Readiness } from '../http/server.ts';
import { SessionBook } from '../http/session-book.ts';
import { asGatewayError, GatewayError } from '../model/errors.ts';
import type { TenantId } from '../model/ids.ts';
import type { ApiKeyBook, Db } from '../model/ports.ts';
import { parseStrict } from '../model/strict-json.ts';
import type { ReleaseManager } from '../release/release-ports.ts';
import { createApiKeyBook } from '../store/api-keys.ts';
import { openDb } from '../store/open.ts';
import { createReleases } from '../store/releases.ts';
import { createToolPins } from '../store/tool-pins.ts';
import type { Upstreams } from '../upstream/types.ts';
import { createUpstreams } from '../upstream/upstreams.ts';
import { version } from '../version.ts';

const sweepMs = 15_000;

/** What a configuration can change while the gateway runs; swapped whole. */
interface Live {
  readonly config: Config;
  readonly doors: Doors;
  readonly content: Content;
  readonly settings: CallSettings;
  readonly hosts: ReadonlySet<string>;
  readonly origins: ReadonlySet<string>;
}

/** Settings that need a restart: what is opened once. */
const fixedKeys = ['listen', 'tenant', 'store', 'audit', 'log', 'metrics', 'policy'] as const;

/**
 * Joins the rooms and starts to serve. What fails on the way is undone; what is started is ended by `close`.
 * @throws GatewayError `config.invalid`, `store.unavailable`, `audit.unavailable`
 */
export async function startGateway({
  configPath,
  env,
}: {
  readonly configPath: string;
  readonly env: Environment;
}): Promise<RunningGateway> {
  const loaded = loadConfig(configPath, env);
  const undo: (() => Promise<unknown>)[] = [];
  try {
    return await new Gateway(resolve(configPath), env, loaded, undo).start();
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => undefined); // the fault that stopped the start is the one to tell
    throw error;
  }
}

class Gateway {
  readonly #configPath: string;
  readonly #env: Environment;
  readonly #undo: (() => Promise<unknown>)[];
  readonly #observation: Observation;
  readonly #compiler = new Compiler();
  readonly #hashKey = randomBytes(32);
  #loaded: LoadedConfig;
  #live: Live | undefined;
  #configProblem: string | undefined;
  #watch: ConfigWatch | undefined;
  #reloading: Promise<unknown> | undefined;

  constructor(configPath: string, env: Environment, loaded: LoadedConfig, undo: (() => Promise<unknown>)[]) {
    this.#configPath = configPath;
    this.#env = env;
    this.#loaded = loaded;
    this.#undo = undo;
    this.#observation = observe(loaded.config, loaded.secrets);
  }

  get #now(): Live {
    if (this.#live === undefined) throw new TypeError('the gateway has no configuration in force yet');
    return this.#live;
  }

  async start(): Promise<RunningGateway> {
    const { config } = this.#loaded;
    const { log } = this.#observation;
    const db = await this.#opened(openDb(storeOptions(config)), (one) => one.close());
    const audit = await this.#opened(openAuditLog(auditStore(config)), (one) => one.close());
    const keys = createApiKeyBook(db);
    this.#undo.push(() => this.#compiler.close());
    const releases = await this.#opened(this.#openReleases(config, db, audit), (one) => one.close());
    const approvals = createApprovalBook({ db, now: Date.now, maxPendingPerPrincipal: config.approvals.max_pending_per_identity });
    this.#undo.push(() => Promise.resolve(approvals.close()));
    const pins = createToolPins({ db, tenant: config.tenant as TenantId, now: Date.now });
    const upstreams = createUpstreams(upstreamOptions(config), {
      pins,
      log: this.#observation.upstreamLog,
      clientInfo: { name: 'castellan', version },
    });
    this.#undo.push(() => upstreams.close());
    const endpoints = new Endpoints(config, () => upstreams.catalogue());
    await this.#use(config, keys, true);
    const history = new History({
      maxEntries: config.limits.history_entries,
      windowMs: config.limits.history_window_s * 1000,
      maxIdentities: config.limits.history_identities,
    });
    await this.#observation.restoreHistory(db, history, config);
    const parts: Parts = {
      release: () => releases.current(),
      endpoint: (name) => endpoints.view(name),
      upstreams,
      audit,
      approvals,
      content: () => this.#now.content,
      history,
      limits: new LimitCounter(),
      observer: this.#observation.observer,
      settings: () => this.#now.settings,
      now: Date.now,
    };
    const pipeline = new Pipeline(parts);
    const sessions = this.#sessions(upstreams);
    this.#announceChanges(upstreams, releases, endpoints, sessions);
    await upstreams.settled();
    const reload = (): Promise<unknown> => this.#reload(keys, upstreams, endpoints, releases, sessions, audit);
    const server = await this.#serve({ db, keys, audit, approvals, releases, upstreams, endpoints, pipeline, sessions, reload });
    const watch = watchConfig(this.#loaded.files, () => void reload());
    this.#watch = watch;
    this.#undo.push(() => Promise.resolve(watch.close()));
    const sweep = setInterval(() => sessions.sweep(Date.now()), sweepMs).unref();
    this.#observation.gauges({
      sessions: () => sessions.size,
      inFlight: () => pipeline.inFlight,
      audit: () => audit.stats(),
      upstreams: () => upstreams.status(),
      approvals: () => approvals.countPending(config.tenant as TenantId),
    });
    await audit.append({
      v: 1,
      kind: 'system',
      at: new Date().toISOString(),
      tenant: config.tenant,
      event: { code: 'gateway.started', message: `castellan ${version} started`, detail: { release: releases.current()?.id ?? null } },
    });
    const url = publicUrl(config, boundPort(server));
    log.info('gateway.started', { url, version, release: releases.current()?.id ?? 'none' });
    let closing: Promise<void> | undefined;
    const close = async (): Promise<void> => {
      clearInterval(sweep);
      await this.#stop(server, pipeline, sessions, audit);
    };
    return { url, reload, close: () => (closing ??= close()) };
  }

  async #opened<T>(opening: Promise<T>, close: (one: T) => Promise<unknown>): Promise<T> {
    const one = await opening;
    this.#undo.push(() => close(one));
    return one;
  }

  async #openReleases(config: Config, db: Db, audit: OpenAuditLog): Promise<ReleaseManager> {
    const { onRelease, onWorkerEnd } = this.#observation;
    const stored = createReleases(db);
    let manager: ReleaseManager | undefined;
    manager = await openReleases({
      config: config.policy,
      compiler: this.#compiler,
      onWorkerEnd,
      onEvent: (event) => {
        onRelease(event);
        audit.hand({
          v: 1,
          kind: 'system',
          at: new Date().toISOString(),
          tenant: config.tenant,
          event: { code: `release.${event.kind}`, message: event.kind, detail: plainDetail(event) },
        });
        const current = event.kind === 'activated' ? manager?.current() : undefined;
        if (current !== undefined)
          void stored
            .record(config.tenant as TenantId, current)
            .catch((error: unknown) => this.#observation.log.error('release.not_recorded', { error }));
      },
    });
    const first = manager.current();
    if (first !== undefined) await stored.record(config.tenant as TenantId, first);
    const opened = manager;
    this.#observation.releaseGauge(() => opened.current());
    return manager;
  }

  #sessions(upstreams: Upstreams): SessionBook {
    const limits = (): ReturnType<ConstructorParameters<typeof SessionBook>[0]> => {
      const { limits: set } = this.#now.config;
      return {
        maxSessions: set.sessions,
        maxPerIdentity: set.sessions_per_identity,
        idleMs: set.session_idle_s * 1000,
        maxStreamBytes: set.stream_buffer_bytes,
      };
    };
    return new SessionBook(limits, (session) => {
      // The upstream may be gone with the session; it ends idle ones itself.
      upstreams.release(session.publicId).catch((error: unknown) => this.#observation.log.warn('session.not_released', { error }));
    });
  }

  /** Tells every listening agent that its lists may look different now: an upstream changed, or policy did. */
  #announceChanges(upstreams: Upstreams, releases: ReleaseManager, endpoints: Endpoints, sessions: SessionBook): void {
    const tell = (kinds: readonly string[], of: (endpoint: string) => boolean): void => {
      for (const { session } of sessions.all()) {
        if (!of(session.endpoint)) continue;
        for (const kind of kinds) session.standalone?.send({ jsonrpc: '2.0', method: `notifications/${kind}/list_changed` });
      }
    };
    const stop = upstreams.onChange((upstream, kinds) => tell(kinds, (endpoint) => endpoints.uses(endpoint, upstream)));
    this.#undo.push(() => Promise.resolve(stop()));
    let seen = releases.current()?.digest;
    this.#observation.onReleaseChange(() => {
      const digest = releases.current()?.digest;
      if (digest === seen) return;
      seen = digest;
      tell(['tools', 'resources', 'prompts'], () => true);
    });
  }

  /** Builds everything that a configuration sets, and only then puts it in force. */
  async #use(config: Config, keys: ApiKeyBook, warm: boolean): Promise<void> {
    const url = publicUrl(config);
    const before = this.#live;
    const sameDoors = before !== undefined && JSON.stringify(doorFacts(before.config)) === JSON.stringify(doorFacts(config));
    const doors = sameDoors ? before.doors : openDoors(config, url, keys, this.#observation.identityEvent);
    if (warm && !sameDoors) await doors.warm();
    const { limits } = config;
    this.#live = {
      config,
      doors,
      content: openContent(config.content, this.#hashKey),
      hosts: allowedHosts(config),
      origins: allowedOrigins(config),
      settings: {
        environmentJson: JSON.stringify(config.environment),
        decisionDeadlineMs: config.policy.deadline_ms,
        callTimeoutMs: limits.call_timeout_ms,
        approvalWaitMs: config.approvals.wait_ms,
        maxCallsInFlight: limits.calls_in_flight,
        questionTimeoutMs: limits.question_timeout_ms,
        serverInfo: { name: 'castellan', title: `Castellan (${config.environment.name})`, version },
      },
    };
  }

  /** One reload at a time; a bad file changes nothing and is told in the log, a metric and `/readyz`. */
  async #reload(
    keys: ApiKeyBook,
    upstreams: Upstreams,
    endpoints: Endpoints,
    releases: ReleaseManager,
    sessions: SessionBook,
    audit: OpenAuditLog,
  ): Promise<unknown> {
    const run = async (): Promise<unknown> => {
      const { log } = this.#observation;
      try {
        const next = loadConfig(this.#configPath, this.#env);
        const fixed = fixedKeys.filter((key) => JSON.stringify(next.config[key]) !== JSON.stringify(this.#loaded.config[key]));
        if (fixed.length > 0)
          throw new GatewayError(
            'config.invalid',
            `${fixed.map((key) => `\`${key}\``).join(', ')} cannot change while the gateway runs; restart it to apply them`,
          );
        await upstreams.reconfigure(upstreamOptions(next.config));
        await this.#use(next.config, keys, true);
        endpoints.use(next.config);
        this.#loaded = next;
        this.#configProblem = undefined;
        this.#watch?.follow(next.files);
        log.conceal(next.secrets.map((secret) => secret.reveal()));
        for (const live of [...sessions.all()]) if (!endpoints.has(live.session.endpoint)) sessions.end(live, Date.now());
        audit.hand({
          v: 1,
          kind: 'system',
          at: new Date().toISOString(),
          tenant: next.config.tenant,
          event: { code: 'config.reloaded', message: 'the configuration was reloaded' },
        });
        log.info('config.reloaded', {});
      } catch (error) {
        this.#configProblem = asGatewayError(error).message;
        this.#observation.configRefused();
        log.error('config.refused', { error });
      }
      const release = await releases.reload();
      return { config: this.#configProblem === undefined ? { ok: true } : { ok: false, problem: this.#configProblem }, release };
    };
    const before = this.#reloading ?? Promise.resolve();
    const next = before.then(run, run);
    this.#reloading = next;
    return next;
  }

  async #serve(rooms: {
    readonly db: Db;
    readonly keys: ApiKeyBook;
    readonly audit: OpenAuditLog;
    readonly approvals: Parts['approvals'];
    readonly releases: ReleaseManager;
    readonly upstreams: Upstreams;
    readonly endpoints: Endpoints;
    readonly pipeline: Pipeline;
    readonly sessions: SessionBook;
    readonly reload: () => Promise<unknown>;
  }): Promise<Server> {
    const { config } = this.#loaded;
    const { pipeline, sessions, endpoints, upstreams, audit, releases } = rooms;
    const { observer, log, metrics } = this.#observation;
    const parse = (bytes: Uint8Array): ReturnType<typeof parseStrict> =>
      parseStrict(bytes, { maxDepth: this.#now.config.limits.json_depth });
    const mcp: McpEndpointPorts = {
      pipeline,
      sessions,
      authenticate: (request) => this.#now.doors.authenticate(request),
      challenge: (error, endpoint) => this.#now.doors.challenge(error, endpoint),
      hasEndpoint: (name) => endpoints.has(name),
      parse,
      limits: () => ({ bodyBytes: this.#now.config.limits.body_bytes }),
      tenant: () => config.tenant,
      listen: ({ session }, active) => pipeline.listen(session, active),
      stage: (name, elapsedMs) => observer.stage(name, elapsedMs),
      now: Date.now,
    };
    const readiness = async (): Promise<Readiness> => this.#readiness(rooms.db, audit, releases, upstreams);
    const refusedAt = (error: GatewayError, ip: string, path: string): void =>
      pipeline.refuse(error, {
        endpoint: path.slice(0, 100),
        tenant: config.tenant,
        arrival: { receivedAtMs: Date.now(), ip, userAgent: '', traceId: undefined, bytes: 0 },
      });
    const app = createApp({
      guard: {
        allowedHosts: () => this.#now.hosts,
        allowedOrigins: () => this.#now.origins,
        onRefusal: (error, request) => refusedAt(error, request.socket.remoteAddress ?? '', request.path),
      },
      mcp,
      admin:
        config.admin === undefined
          ? undefined
          : openAdminPorts({
              ...rooms,
              doors: () => this.#now.doors.admin,
              config: () => this.#now.config,
              parse,
              readiness,
              log,
              refused: (error, request) => refusedAt(error, request.socket.remoteAddress ?? '', request.originalUrl),
            }),
      resourceMetadata: (endpoint) =>
        endpoint === undefined
          ? this.#now.doors.admin?.metadata()
          : endpoints.has(endpoint)
            ? this.#now.doors.metadata(endpoint)
            : undefined,
      rootEndpoint: () => (endpoints.names().length === 1 ? endpoints.names()[0] : undefined),
      metrics:
        config.metrics.enabled && config.metrics.port === undefined
          ? async () => ({ contentType: metrics.contentType, text: await metrics.render() })
          : undefined,
      readiness,
      failed: (error) => log.error('http.failed', { error }),
    });
    const { host, port } = config.listen;
    const timeouts = { headerTimeoutMs: config.limits.header_timeout_ms, bodyTimeoutMs: config.limits.body_timeout_ms };
    if (config.metrics.enabled && config.metrics.port !== undefined)
      await this.#serveMetrics(config.metrics.host, config.metrics.port, timeouts);
    return this.#opened(listen(app, { host, port, ...timeouts }), (server) => closeServer(server, 0));
  }

  async #serveMetrics(host: string, port: number, timeouts: { headerTimeoutMs: number; bodyTimeoutMs: number }): Promise<void> {
    const app = metricsApp(async () => ({
      contentType: this.#observation.metrics.contentType,
      text: await this.#observation.metrics.render(),
    }));
    await this.#opened(listen(app, { host, port, ...timeouts }), (server) => closeServer(server, 0));
  }

  async #readiness(db: Db, audit: OpenAuditLog, releases: ReleaseManager, upstreams: Upstreams): Promise<Readiness> {
    const { active, candidate } = releases.status();
    const database = await db.query('SELECT 1 AS one').then(
      () => 'ok',
      (error: unknown) => asGatewayError(error).message,
    );
    const { lastFault } = audit.stats();
    const ready = active !== undefined && database === 'ok' && lastFault === undefined && !this.#stopping;
    return {
      ready,
      detail: {
        release: active === undefined ? null : { id: active.id, digest: active.digest, commit: active.commit },
        ...(candidate === undefined ? {} : { candidate: { error: candidate.error, at: new Date(candidate.atMs).toISOString() } }),
        config: this.#configProblem === undefined ? 'ok' : { problem: this.#configProblem },
        database,
        audit: lastFault ?? 'ok',
        upstreams: Object.fromEntries(
          upstreams.status().map(({ name, state, error }) => [name, error === undefined ? state : { state, error }]),
        ),
        ...(this.#stopping ? { stopping: true } : {}),
      },
    };
  }

  #stopping = false;

  /** Nothing new is taken, what was accepted is finished, then everything is closed in the order opposite to its start. */
  async #stop(server: Server, pipeline: Pipeline, sessions: SessionBook, audit: OpenAuditLog): Promise<void> {
    const { config } = this.#loaded;
    const { log } = this.#observation;
    this.#stopping = true;
    pipeline.stop();
    const deadlineMs = Date.now() + config.limits.drain_timeout_ms;
    while (pipeline.inFlight > 0 && Date.now() < deadlineMs) await new Promise((wake) => setTimeout(wake, 20));
    const left = pipeline.inFlight;
    for (const live of [...sessions.all()]) sessions.end(live, Date.now());
    await closeServer(server, 1000);
    audit.hand({
      v: 1,
      kind: 'system',
      at: new Date().toISOString(),
      tenant: config.tenant,
      event: { code: 'gateway.stopped', message: 'the gateway stopped', detail: { calls_left: left } },
    });
    const failures: unknown[] = [];
    for (const step of this.#undo.reverse()) await step().catch((error: unknown) => failures.push(error));
    this.#undo.length = 0;
    for (const error of failures) log.error('gateway.stop_failed', { error });
    log.info('gateway.stopped', { calls_left: left });
    await this.#observation.close();
  }
}

/** What identity depends on: while it stays, verified tokens and fetched keys stay too. */
function doorFacts({ issuers, issuer_keys, api_keys, admin, endpoints, listen: { public_url }, tenant }: Config): unknown {
  return [issuers, issuer_keys, api_keys, admin, Object.keys(endpoints), public_url, tenant];
}

function plainDetail(event: object): Record<string, string | number | boolean | null> {
  return Object.fromEntries(Object.entries(event).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))) as Record<
    string,
    string | number | boolean
  >;
}

function boundPort(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Stops listening; idle connections end now, busy ones after `graceMs`. */
function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolveClosed) => {
    if (!server.listening) {
      resolveClosed();
      return;
    }
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(timer);
      resolveClosed();
    });
    server.closeIdleConnections();
  });
}
