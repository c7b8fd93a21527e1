import type { Readiness } from '../http/server.ts';
import { asGatewayError } from '../model/errors.ts';
import { observedEndpoints } from './live.ts';
import type { Rooms } from './rooms.ts';

/** What only the running process knows. */
export interface RunState {
  readonly isStopping: boolean;
  readonly configProblem: string | undefined;
}

/**
 * Ready means that a call could be decided, recorded and sent: policy in force, database there, audit writing, not stopping. A bad
 * configuration file or policy edit does not make it unready, since the last good one is in force: it is told in the detail.
 */
export async function readiness({ releases, db, audit, upstreams, live }: Rooms, state: RunState): Promise<Readiness> {
  const { active, candidate } = releases.status();
  const database = await db.query('SELECT 1 AS one').then(
    () => 'ok',
    (error: unknown) => asGatewayError(error).message,
  );
  const { lastFault, isFailing } = audit.stats();
  const observed = observedEndpoints(live.now.config.endpoints);
  return {
    ready: active !== undefined && database === 'ok' && !isFailing && !state.isStopping,
    detail: {
      release: active === undefined ? null : { id: active.id, digest: active.digest, commit: active.commit },
      ...(candidate === undefined ? {} : { candidate: { error: candidate.error, at: new Date(candidate.atMs).toISOString() } }),
      config: state.configProblem === undefined ? 'ok' : { problem: state.configProblem },
      database,
      audit: isFailing ? (lastFault ?? 'failing') : 'ok',
      upstreams: Object.fromEntries(
        upstreams.status().map(({ name, state: now, error }) => [name, error === undefined ? now : { state: now, error }]),
      ),
      ...(observed.length === 0 ? {} : { observed }),
      ...(state.isStopping ? { stopping: true } : {}),
    },
  };
}
