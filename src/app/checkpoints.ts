import { existsSync } from 'node:fs';
import { openSigner } from '../audit/checkpoint-key.ts';
import type { CheckpointTarget } from '../audit/checkpoint-sender.ts';
import { Checkpointer, type CheckpointEvent } from '../audit/checkpointer.ts';
import { parseVerifier, type NoteSigner, type NoteVerifier } from '../audit/note.ts';
import type { CheckpointTargetConfig, Config } from '../config/schema-types.ts';
import { allRevealed } from '../config/secret.ts';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import { pushCheckpoint, type CheckpointPlace } from '../sinks/checkpoint-push.ts';
import { network } from './network.ts';
import type { Observation } from './observe.ts';
import { s3Place } from './sinks.ts';

/** The signer of a configuration's checkpoints; `undefined` where none are made. @throws GatewayError `config.invalid` */
export async function checkpointSigner(config: Config): Promise<NoteSigner | undefined> {
  const { enabled, origin, key } = config.audit.checkpoints;
  if (!enabled) return undefined;
  return openSigner({ origin, pem: key?.reveal(), file: keyFile(config) });
}

/** The public keys that a configuration's checkpoints may be signed with; makes no key. @throws GatewayError `config.invalid` */
export async function checkpointVerifiers(config: Config): Promise<NoteVerifier[]> {
  const { key, earlier_keys: earlier } = config.audit.checkpoints;
  const file = keyFile(config);
  const isThere = key !== undefined || (file !== undefined && existsSync(file));
  const signer = isThere ? await checkpointSigner(config) : undefined;
  return [...(signer === undefined ? [] : [signer.verifierKey]), ...earlier].map(parseVerifier);
}

/** Begins to make checkpoints of the tenant's log; says in the log where that is not possible. @throws GatewayError `config.invalid` */
export async function openCheckpoints(config: Config, db: Db, { log, metrics }: Observation): Promise<Checkpointer | undefined> {
  const signer = await checkpointSigner(config);
  const { enabled, records, interval_s: intervalS, file, push } = config.audit.checkpoints;
  if (signer === undefined) {
    if (enabled) log.warn('audit.checkpoints_off', { cure: 'name a key in `audit.checkpoints.key`: `openssl rand -hex 32` makes one' });
    return undefined;
  }
  const onEvent = (event: CheckpointEvent): void => {
    const { kind, ...detail } = event;
    if (kind === 'recovered') log.info('audit.checkpoint_sent', detail);
    else if (kind === 'behind') log.warn('audit.checkpoint_behind', detail);
    else log.error('audit.checkpoint_failed', detail);
  };
  const { sqlite } = config.store;
  const checkpointer = new Checkpointer({
    db,
    tenant: config.tenant,
    signer,
    records,
    intervalMs: intervalS * 1000,
    file: file ?? (sqlite === undefined ? undefined : `${sqlite.path}.checkpoint`),
    targets: push.map(targetOf),
    onEvent,
  });
  metrics.read({ checkpointsBehind: () => checkpointer.behind() });
  return checkpointer;
}

/** The key that the gateway makes for itself, beside an embedded database. */
function keyFile({ store }: Config): string | undefined {
  return store.sqlite === undefined ? undefined : `${store.sqlite.path}.checkpoint-key.pem`;
}

function targetOf(target: CheckpointTargetConfig): CheckpointTarget {
  const place = placeOf(target);
  return { name: target.name, push: (checkpoint) => pushCheckpoint(place, network, checkpoint) };
}

function placeOf({ name, http, s3 }: CheckpointTargetConfig): CheckpointPlace {
  if (http !== undefined) {
    const headers = allRevealed(http.headers);
    return { kind: 'http', url: http.url, method: http.method, headers, allowPrivateNetwork: http.allow_private_network };
  }
  if (s3 === undefined) throw new GatewayError('config.invalid', `the target \`${name}\` is neither \`http\` nor \`s3\``);
  return { kind: 's3', ...s3Place(s3), allowPrivateNetwork: s3.allow_private_network };
}
