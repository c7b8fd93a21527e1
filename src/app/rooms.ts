import { createApprovalBook, type OpenApprovalBook } from '../approval/book.ts';
import { keyedDigests, openDigestKey } from '../audit/digest-key.ts';
import { openAuditLog, type OpenAuditLog } from '../audit/open.ts';
import { History } from '../call/history.ts';
import { InputPlans } from '../call/input-plan.ts';
import { LimitCounter } from '../call/limits.ts';
import { ListAnswers } from '../call/list-answers.ts';
import { ListChanges } from '../call/list-changes.ts';
import type { Parts } from '../call/parts.ts';
import { Pipeline } from '../call/pipeline.ts';
import { Strays } from '../call/strays.ts';
import { TaskBook } from '../call/task-book.ts';
import type { LoadedConfig } from '../config/load.ts';
import { scanDefinition } from '../content/definition-scan.ts';
import type { Config } from '../config/schema-types.ts';
import { SessionBook } from '../http/session-book.ts';
import type { AuditRecord } from '../model/audit-record.ts';
import type { TenantId } from '../model/ids.ts';
import type { ApiKeyBook, Db } from '../model/ports.ts';
import type { KeptRelease, ReleaseEvent, ReleaseManager } from '../release/release-ports.ts';
import { createApiKeyBook } from '../store/api-keys.ts';
import { openDb } from '../store/open.ts';
import { createReleaseModules } from '../store/release-modules.ts';
import { createReleaseSources } from '../store/release-sources.ts';
import { createReleases } from '../store/releases.ts';
import { createToolPins } from '../store/tool-pins.ts';
import type { Upstreams } from '../upstream/types.ts';
import { createUpstreams } from '../upstream/upstreams.ts';
import { version } from '../version.ts';
import { auditStore, storeOptions } from './stores.ts';
import { openCheckpoints } from './checkpoints.ts';
import { openInputKeys } from './input-keys.ts';
import { endInterrupted } from './interrupted.ts';
import { Live, tellObserved } from './live.ts';
import type { Observation } from './observe.ts';
import { openNarrowing } from './narrowing.ts';
import { Compiler, openReleases } from './policy.ts';
import type { Telemetry } from './telemetry.ts';
import { Endpoints, upstreamOptions } from './upstreams.ts';

/** Everything that is open while the gateway runs. */
export interface Rooms {
  readonly tenant: TenantId;
  readonly observation: Observation;
  readonly live: Live;
  readonly db: Db;
  readonly keys: ApiKeyBook;
  readonly audit: OpenAuditLog;
  readonly approvals: OpenApprovalBook;
  readonly releases: ReleaseManager;
  readonly upstreams: Upstreams;
  readonly endpoints: Endpoints;
  readonly pipeline: Pipeline;
  readonly tracer: Telemetry['tracer'];
  readonly sessions: SessionBook;
  readonly listChanges: ListChanges;
}

/** Steps that undo what was opened, in the order of opening. */
export type Undo = (() => Promise<unknown>)[];

/** How long a start waits for upstreams to be read; one that takes longer is listed when it comes. */
const upstreamsWaitMs = 5_000;

/**
 * Opens the rooms of a configuration one after the other; each adds to `undo` how it is closed.
 * @throws GatewayError `config.invalid`, `store.unavailable`, `audit.unavailable`
 */
export async function openRooms({ config }: LoadedConfig, observation: Observation, undo: Undo, telemetry: Telemetry): Promise<Rooms> {
  const tenant = config.tenant as TenantId;
  const opened = <T>(one: T, close: (one: T) => Promise<unknown>): T => {
    undo.push(() => close(one));
    return one;
  };
  const db = opened(await openDb(storeOptions(config)), (one) => one.close());
  const checkpoints = await openCheckpoints(config, db, observation);
  // Closed after the log, so that the last checkpoint has all of it.
  if (checkpoints !== undefined) opened(checkpoints, (one) => one.close());
  const inputKeys = await openInputKeys(config, db);
  const keyedDigest = keyedDigests(await openDigestKey(db, tenant, inputKeys));
  const audit = opened(await openAuditLog(auditStore(config, inputKeys)), (one) => one.close());
  await endInterrupted(config, db, audit, observation.log, undo);
  const keys = createApiKeyBook(db);
  const compiler = opened(new Compiler(), (one) => one.close());
  const releases = opened(await openPolicy(config, compiler, db, audit, observation), (one) => one.close());
  const approvals = createApprovalBook({ db, now: Date.now, maxPendingPerPrincipal: config.approvals.max_pending_per_identity });
  opened(approvals, (one) => Promise.resolve().then(() => one.close()));
  const pins = createToolPins({ db, tenant, now: Date.now });
  const clientInfo = { name: 'castellan', version };
  const heardAudit = telemetry.heard(audit);
  const onRefused: Parts['observer']['refused'] = (code) => observation.observer.refused(code);
  const strays = opened(new Strays({ tenant, audit: heardAudit, onRefused, now: Date.now }), (one) =>
    Promise.resolve().then(() => one.close()),
  );
  const upstreams = createUpstreams(upstreamOptions(config), {
    pins,
    log: observation.upstreamLog,
    clientInfo,
    scan: scanDefinition,
    stray: (message) => strays.take(message),
  });
  opened(upstreams, (one) => one.close());
  const endpoints = new Endpoints(config, () => upstreams.catalogue());
  const live = new Live(keys, observation.identityEvent);
  await live.use(config);
  tellObserved(observation.log, config);
  const { history_entries: maxEntries, history_window_s: windowS, history_identities: maxIdentities } = config.limits;
  const history = new History({ maxEntries, windowMs: windowS * 1000, maxIdentities });
  await observation.restoreHistory(db, history, config);
  const listChanges = new ListChanges();
  const narrowing = openNarrowing(
    config.policy,
    compiler,
    (error) => observation.log.warn('list.not_narrowed', { error }),
    () => listChanges.announce(['tools'], () => true),
  );
  opened(narrowing, (one) => Promise.resolve().then(() => one.close()));
  const parts: Parts = {
    release: () => releases.current(),
    endpoint: (name) => endpoints.view(name),
    upstreams,
    audit: heardAudit,
    keyedDigest,
    approvals,
    content: () => live.now.content,
    history,
    plans: new InputPlans(),
    limits: new LimitCounter(),
    lists: new ListAnswers(),
    tasks: new TaskBook(Date.now),
    strays,
    narrow: (listing) => (live.now.config.policy.narrow_lists ? narrowing.list(listing) : undefined),
    observer: observation.observer,
    settings: () => live.now.settings,
    now: Date.now,
  };
  const sessions = openSessions(live, upstreams, observation);
  announceChanges({ upstreams, releases, endpoints, sessions, observation, listChanges }, undo);
  await Promise.race([upstreams.settled(), new Promise((resolve) => setTimeout(resolve, upstreamsWaitMs).unref())]);
  return {
    tenant,
    observation,
    live,
    db,
    keys,
    audit,
    approvals,
    releases,
    upstreams,
    endpoints,
    pipeline: new Pipeline(parts),
    sessions,
    listChanges,
    tracer: telemetry.tracer,
  };
}

/** A record of what the gateway itself did. */
export function systemRecord(tenant: string, code: string, message: string, detail?: object): AuditRecord {
  const plain = Object.entries(detail ?? {}).filter(
    ([, value]) => value === null || ['string', 'number', 'boolean'].includes(typeof value),
  );
  const event = { code, message, ...(detail === undefined ? {} : { detail: Object.fromEntries(plain) as Record<string, string> }) };
  return { v: 1, kind: 'system', at: new Date().toISOString(), tenant, event };
}

async function openPolicy(
  config: Config,
  compiler: Compiler,
  db: Db,
  audit: OpenAuditLog,
  observation: Observation,
): Promise<ReleaseManager> {
  const tenant = config.tenant as TenantId;
  const opened: { manager?: ReleaseManager } = {};
  const [stored, modules, sources] = [createReleases(db), createReleaseModules(db), createReleaseSources(db)];
  const note = (): void => {
    const current = opened.manager?.current();
    if (current === undefined) return;
    stored.record(tenant, current).catch((error: unknown) => observation.log.error('release.not_recorded', { error }));
  };
  const onEvent = (event: ReleaseEvent): void => {
    audit.hand(systemRecord(tenant, `release.${event.kind}`, event.kind === 'refused' ? event.message : event.kind, event));
    observation.onRelease(event);
    note();
  };
  // Receipts decide anew with the very module: it is kept for as long as the database is.
  const keep = ({ id, digest, build, built, files }: KeptRelease): void => {
    // What was decided is explained by the text that decided it.
    if (files !== undefined)
      sources.keep(tenant, digest, files).catch((error: unknown) => observation.log.error('release.not_recorded', { error }));
    const kept = { id, digest, build, entrypoints: Object.keys(built.entrypoints), wasm: built.wasm, data: built.data };
    modules.keep(tenant, kept, Date.now()).catch((error: unknown) => observation.log.error('release.not_recorded', { error }));
  };
  opened.manager = await openReleases({ config: config.policy, compiler, onEvent, keep, onWorkerEnd: observation.onWorkerEnd });
  note();
  return opened.manager;
}

function openSessions(live: Live, upstreams: Upstreams, { log }: Observation): SessionBook {
  const limits = (): ReturnType<ConstructorParameters<typeof SessionBook>[0]> => {
    const { sessions, sessions_per_identity, session_idle_s, stream_buffer_bytes } = live.now.config.limits;
    return {
      maxSessions: sessions,
      maxPerIdentity: sessions_per_identity,
      idleMs: session_idle_s * 1000,
      maxStreamBytes: stream_buffer_bytes,
    };
  };
  return new SessionBook(limits, (session) => {
    // The upstream may be gone already; it ends idle sessions itself.
    upstreams.release(session.publicId).catch((error: unknown) => log.warn('session.not_released', { error }));
  });
}

type Announcing = Pick<Rooms, 'upstreams' | 'releases' | 'endpoints' | 'sessions' | 'observation' | 'listChanges'>;

/** Tells every listening agent that its lists may look different now: an upstream changed, or policy did. */
function announceChanges({ upstreams, releases, endpoints, sessions, observation, listChanges }: Announcing, undo: Undo): void {
  listChanges.listen(({ kinds, isAt }) => sessions.announce(kinds, isAt));
  const stop = upstreams.onChange((upstream, kinds) => listChanges.announce(kinds, (endpoint) => endpoints.uses(endpoint, upstream)));
  undo.push(() => Promise.resolve().then(stop));
  let seen = releases.current()?.digest;
  observation.onReleaseChange(() => {
    const digest = releases.current()?.digest;
    if (digest === seen) return;
    seen = digest;
    listChanges.announce(['tools', 'resources', 'prompts'], () => true);
  });
}
