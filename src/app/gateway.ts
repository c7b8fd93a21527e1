import type { Server } from 'node:http';
import { resolve } from 'node:path';
import type { Environment, RunningGateway } from '../cli/application.ts';
import { publicUrl } from '../config/addresses.ts';
import { loadConfig } from '../config/load.ts';
import { watchConfig, type ConfigWatch } from '../config/watch.ts';
import { trimMemory } from '../model/trim-memory.ts';
import { version } from '../version.ts';
import { startRetention } from './keeping.ts';
import { observe } from './observe.ts';
import { Reloader } from './reload.ts';
import { openRooms, systemRecord, type Rooms, type Undo } from './rooms.ts';
import { closeServer, serve } from './serve.ts';
import { openTelemetry } from './telemetry.ts';
import { openSinks } from './sinks.ts';
import { integrityCounts } from '../upstream/catalogue-view.ts';

/** How often idle sessions are looked for and open streams kept alive. */
const sweepMs = 15_000;

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
  const { config } = loaded;
  const undo: Undo = [];
  try {
    const observation = observe(config, loaded.secrets);
    const telemetry = await openTelemetry(config, observation);
    undo.push(() => telemetry.close());
    const rooms = await openRooms(loaded, observation, undo, telemetry);
    let isStopping = false;
    const watching: { watch?: ConfigWatch } = {};
    const reloader = new Reloader(rooms, { configPath: resolve(configPath), env, loaded }, (next) => watching.watch?.follow(next.files));
    const reload = (): Promise<unknown> => reloader.reload();
    trimMemory();
    const server = await serve(rooms, config, { reload, state: () => ({ isStopping, configProblem: reloader.problem }) }, undo);
    watching.watch = watchConfig(loaded.files, () => void reload());
    const sweep = setInterval(() => rooms.sessions.sweep(Date.now()), sweepMs).unref();
    const sinks = openSinks(config, observation);
    undo.push(() => sinks.close());
    observation.metrics.read({ sinks: sinks.states });
    startRetention(rooms, undo);
    readGauges(rooms);
    const release = rooms.releases.current()?.id ?? null;
    await rooms.audit.append(systemRecord(config.tenant, 'gateway.started', `castellan ${version} started`, { release }));
    const address = server.address();
    const url = publicUrl(config, typeof address === 'object' && address !== null ? address.port : undefined);
    observation.log.info('gateway.started', { url, version, release });
    let closing: Promise<void> | undefined;
    const close = async (): Promise<void> => {
      isStopping = true;
      watching.watch?.close();
      clearInterval(sweep);
      await stop(rooms, server, config.limits.drain_timeout_ms, undo);
    };
    return { url, reload, close: () => (closing ??= close()) };
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => undefined); // the fault that stopped the start is the one to tell
    throw error;
  }
}

/** Nothing new is taken, what was accepted is finished, then everything is closed in the order opposite to its opening. */
async function stop({ pipeline, sessions, audit, tenant, observation }: Rooms, server: Server, drainMs: number, undo: Undo): Promise<void> {
  const { log } = observation;
  pipeline.stop();
  const deadlineMs = Date.now() + drainMs;
  while (pipeline.inFlight > 0 && Date.now() < deadlineMs) await new Promise((wake) => setTimeout(wake, 20));
  const left = pipeline.inFlight;
  for (const live of [...sessions.all()]) sessions.end(live, Date.now());
  await closeServer(server, 1000);
  audit.hand(systemRecord(tenant, 'gateway.stopped', 'the gateway stopped', { calls_left: left }));
  for (const step of undo.reverse()) await step().catch((error: unknown) => log.error('gateway.stop_failed', { error }));
  log.info('gateway.stopped', { calls_left: left });
  await log.close();
}

function readGauges({ observation, sessions, pipeline, audit, upstreams, approvals, releases, tenant }: Rooms): void {
  observation.metrics.read({
    sessionsOpen: () => sessions.size,
    callsInFlight: () => pipeline.inFlight,
    auditQueue: () => audit.stats().waiting,
    upstreams: () => upstreams.status().map(({ name, state }) => ({ name, up: state === 'ready' })),
    tools: () => integrityCounts(upstreams.catalogue()),
    approvalsOpen: () => approvals.countPending(tenant),
    release: () => releases.current(),
  });
}
