import type { AuditRecord } from '../model/audit-record.ts';
import type { Entrypoint } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import { callKey } from './columns.ts';
import { openCheckpointBook, type StoredCheckpoint } from './checkpoint-book.ts';
import { proveInclusion } from './proofs.ts';
import { SealedReader, type OpenedInput } from './sealed-reader.ts';
import type { KeyRing } from './sealed-keys.ts';
import { segmentRecords } from './segment-terms.ts';

/** A record with what shows that it is in the log that the receipt's checkpoint is of. */
export interface ReceiptRecord {
  readonly seq: number;
  /** The record's JSON text as it was hashed. */
  readonly text: string;
  /** Its inclusion proof, 64 hex digits each. */
  readonly proof: readonly string[];
}

/** A record of the call; with the input that its decision was made on, where the reader may see it and it is still there. */
export interface ReceiptDecision extends ReceiptRecord {
  readonly input?: {
    readonly entry: Entrypoint;
    readonly salt: string;
    readonly json: string;
    /** Places that policy's mask changed before it was kept: then the decision cannot be made again. */
    readonly masked?: readonly string[];
  };
}

/** The compiled policy that decided. */
export interface ReceiptRelease {
  readonly id: string;
  /** Of the policy's sources. */
  readonly digest: string;
  /** `buildDigest` of module and data. */
  readonly build: string;
  readonly entrypoints: readonly string[];
  /** Base64. */
  readonly wasm: string;
  /** The data document's JSON text. */
  readonly data: string;
  /** The record of its coming into force, which names its build; absent where that is no longer in the log. */
  readonly activated?: ReceiptRecord;
}

/**
 * All that shows what was decided about one call, in one file: the call's records with their inputs, the compiled policy, the proofs that
 * all of it is in the log, and the signed checkpoint that they lead to.
 */
export interface Receipt {
  readonly castellan: 'audit-receipt';
  readonly v: 1;
  readonly tenant: string;
  readonly log: string;
  readonly call: string;
  readonly records: readonly ReceiptDecision[];
  readonly releases: readonly ReceiptRelease[];
  readonly checkpoint: string;
}

/** A compiled policy as the store keeps it. */
export interface StoredModule {
  readonly id: string;
  readonly digest: string;
  readonly build: string;
  readonly entrypoints: readonly string[];
  readonly wasm: Uint8Array;
  readonly data: string;
}

export interface ReceiptOptions {
  readonly tenant: string;
  /** Default `main`. */
  readonly log?: string;
  readonly callId: string;
  /** Keys that open inputs; absent: the receipt is without them. */
  readonly keys: KeyRing | undefined;
  readonly module: (id: string, build: string | undefined) => Promise<StoredModule | undefined>;
  /** Makes a checkpoint of the log as it is now, where none has the call's last record yet. */
  readonly makeCheckpoint: () => Promise<StoredCheckpoint | undefined>;
}

interface Row {
  readonly seq: number;
  readonly record: string;
}

const maxSegments = 500;

/**
 * Writes the receipt of a call.
 * @throws GatewayError `not_found` when there is no such call, its text was removed, or no checkpoint can be made; `audit.unavailable` when the stored tree was changed
 */
export async function writeReceipt(db: Db, options: ReceiptOptions): Promise<Receipt> {
  const { tenant, log = 'main', callId } = options;
  const sql = "SELECT seq, record FROM audit_record WHERE tenant = $1 AND log = $2 AND call_id = $3 AND record <> '' ORDER BY seq";
  const rows = await db.query<Row>(sql, [tenant, log, callKey(callId)]);
  const last = rows.at(-1);
  if (last === undefined) throw new GatewayError('not_found', `the log has no call \`${callId}\`; \`castellan audit query\` finds calls`);
  const checkpoint = (await openCheckpointBook(db, tenant, log).covering(last.seq)) ?? (await options.makeCheckpoint());
  if (checkpoint === undefined || checkpoint.size < last.seq)
    throw new GatewayError('not_found', 'no checkpoint has this call yet and none can be made; name a key in `audit.checkpoints.key`');
  const proven = async ({ seq, record }: Row): Promise<ReceiptRecord> => {
    const { proof } = await proveInclusion(db, { tenant, log }, seq, checkpoint.size, checkpoint.root);
    return { seq, text: record, proof };
  };
  const reader = new SealedReader(db, options.keys, tenant, log);
  const records: ReceiptDecision[] = [];
  const releases = new Map<string, ReceiptRelease>();
  for (const row of rows) {
    const { decision } = JSON.parse(row.record) as AuditRecord;
    const input = decision === undefined || options.keys === undefined ? undefined : (await reader.open(row.seq, row.seq)).get(row.seq);
    records.push({ ...(await proven(row)), ...(input === undefined ? {} : { input: inputOf(input) }) });
    if (decision === undefined || releases.has(decision.release)) continue;
    const found = await findRelease(db, options, decision.release, row.seq, proven);
    if (found !== undefined) releases.set(decision.release, found);
  }
  return {
    castellan: 'audit-receipt',
    v: 1,
    tenant,
    log,
    call: callId,
    records,
    releases: [...releases.values()],
    checkpoint: checkpoint.note,
  };
}

function inputOf({ entry, salt, json, masked }: OpenedInput): NonNullable<ReceiptDecision['input']> {
  return { entry, salt, json, ...(masked === undefined ? {} : { masked }) };
}

async function findRelease(
  db: Db,
  { tenant, log = 'main', module }: ReceiptOptions,
  id: string,
  beforeSeq: number,
  proven: (row: Row) => Promise<ReceiptRecord>,
): Promise<ReceiptRelease | undefined> {
  const activation = await findActivation(db, tenant, log, id, beforeSeq);
  const stored = await module(id, activation?.build);
  if (stored === undefined) return undefined;
  const { digest, build, entrypoints, wasm, data } = stored;
  const release = { id, digest, build, entrypoints, wasm: Buffer.from(wasm).toString('base64'), data };
  return activation === undefined ? release : { ...release, activated: await proven(activation.row) };
}

/** The last record before `beforeSeq` that says that a release came into force: found through the segments that have records of this kind. */
async function findActivation(
  db: Db,
  tenant: string,
  log: string,
  id: string,
  beforeSeq: number,
): Promise<{ readonly row: Row; readonly build: string } | undefined> {
  const segments = await db.query<{ segment: number }>(
    `SELECT segment FROM audit_term WHERE tenant = $1 AND log = $2 AND field = 'kind' AND value = 'system' AND segment <= $3
     ORDER BY segment DESC LIMIT ${maxSegments}`,
    [tenant, log, Math.floor(beforeSeq / segmentRecords)],
  );
  for (const { segment } of segments) {
    const first = segment * segmentRecords;
    const rows = await db.query<Row>(
      `SELECT seq, record FROM audit_record WHERE tenant = $1 AND log = $2 AND seq >= $3 AND seq < $4 AND kind = 'system' AND record <> ''
       ORDER BY seq DESC`,
      [tenant, log, first, Math.min(first + segmentRecords, beforeSeq)],
    );
    for (const row of rows) {
      const build = activatedBuild(row.record, id);
      if (build !== undefined) return { row, build };
    }
  }
  return undefined;
}

/** The build that a record says came into force under this id, if it says so. */
export function activatedBuild(recordText: string, id: string): string | undefined {
  const { kind, event } = JSON.parse(recordText) as AuditRecord;
  if (kind !== 'system' || event === undefined || !/^release\.(activated|resumed|relabelled)$/.test(event.code)) return undefined;
  const { id: named, build } = event.detail ?? {};
  return named === id && typeof build === 'string' && build !== '' ? build : undefined;
}
