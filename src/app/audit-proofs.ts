import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { openCheckpointBook, type StoredCheckpoint } from '../audit/checkpoint-book.ts';
import { parseVerifier, type NoteVerifier } from '../audit/note.ts';
import { proveConsistency, proveInclusion } from '../audit/proofs.ts';
import { parseHead, verifyAudit, type Verification } from '../audit/verify.ts';
import { verifyExport, type ExportVerification } from '../audit/verify-export.ts';
import { verifyInputs } from '../audit/verify-inputs.ts';
import { openVerifyPool } from '../audit/verify-pool.ts';
import type { AuditProofs, Environment, VerifyRequest } from '../cli/application.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema-types.ts';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import { openDb } from '../store/open.ts';
import { auditStore, storeOptions } from './stores.ts';
import { checkpointSigner, checkpointVerifiers } from './checkpoints.ts';
import { readGiven } from './given-files.ts';
import { readInputKeys } from './input-keys.ts';

/** Below so many records a thread takes longer to start than to verify them. */
const threadsFromRecords = 5_000;
const threads = 2;

/** What can be shown of a tenant's log, on a database that is open. */
export interface LogProofs {
  verify(request: Pick<VerifyRequest, 'head' | 'checkpoints' | 'keys' | 'inputs'>): Promise<Verification & { readonly inputs?: number }>;
  /** Signs what is there now, or gives the latest. */
  checkpoint(): Promise<{ readonly public_key: string; readonly size: number; readonly at_ms: number; readonly note: string }>;
  /** What shows that a record is in the log that a checkpoint is of: the first checkpoint that has it, or one made now. */
  inclusion(seq: number): Promise<object>;
  consistency(from: number, to: number | undefined): Promise<object>;
}

/** Proofs over a tenant's log. */
export function logProofs(config: Config, db: Db): LogProofs {
  const { tenant } = config;
  const book = openCheckpointBook(db, tenant);
  const make = async (): Promise<StoredCheckpoint & { publicKey: string }> => {
    const signer = await checkpointSigner(config);
    if (signer === undefined)
      throw new GatewayError('not_found', 'no checkpoints are made here; name a key in `audit.checkpoints.key`, or enable them');
    const made = await book.make(signer, Date.now());
    if (made === undefined) throw new GatewayError('not_found', 'the log has no record yet');
    return { ...made, publicKey: signer.verifierKey };
  };
  return {
    verify: async ({ head, checkpoints = [], keys = [], inputs = false }) => {
      const verifiers = [...(await checkpointVerifiers(config)), ...keys.map(parseVerifier)];
      const { storeModule, storeOptions: store } = auditStore(config);
      const size = await book.size();
      const pool = size < threadsFromRecords ? undefined : openVerifyPool({ storeModule, storeOptions: store }, threads);
      try {
        const found = await verifyAudit(db, {
          tenant,
          verifiers,
          notes: checkpoints,
          ...(head === undefined ? {} : { head: parseHead(head) }),
          ...(pool === undefined ? {} : { scan: (range) => pool.scan(range), concurrency: 2 * threads }),
        });
        if (!found.ok || !inputs) return found;
        const ring = readInputKeys(config);
        if (ring === undefined)
          throw new GatewayError('request.invalid', 'no key is at hand that opens the inputs; name it in `audit.inputs.key`');
        const checked = await verifyInputs(db, { tenant, toSeq: found.headSeq, keys: ring });
        return typeof checked === 'number' ? { ...found, inputs: checked } : { ok: false, ...checked };
      } finally {
        await pool?.close();
      }
    },
    checkpoint: async () => {
      const { publicKey, size, atMs, note } = await make();
      return { public_key: publicKey, size, at_ms: atMs, note };
    },
    inclusion: async (seq) => {
      const checkpoint = (await book.covering(seq)) ?? (await make());
      const proof = await proveInclusion(db, { tenant }, seq, checkpoint.size, checkpoint.root);
      return { ...proof, checkpoint: checkpoint.note };
    },
    consistency: async (from, to) => {
      const size = to ?? (await book.latest())?.size ?? (await make()).size;
      return proveConsistency(db, { tenant }, from, size);
    },
  };
}

/** Verification and proofs for the command line, with no gateway running or beside one. */
export const auditProofs: AuditProofs = {
  verify: ({ config: path, ...request }, env) => withLog(path, env, async (proofs) => proofs.verify(await readGiven(request))),
  verifyFile: async (path, request) => {
    const { keys, checkpoints } = await readGiven(request);
    return verifyExportFile(path, keys.map(parseVerifier), checkpoints);
  },
  checkpoint: (path, env) => withLog(path, env, (proofs) => proofs.checkpoint()),
  inclusion: (path, env, seq) => withLog(path, env, (proofs) => proofs.inclusion(seq)),
  consistency: (path, env, from, to) => withLog(path, env, (proofs) => proofs.consistency(from, to)),
  readGiven,
};

/** Verifies an export file with public keys alone. @throws GatewayError `request.invalid` when there is no such file or no key */
async function verifyExportFile(path: string, verifiers: readonly NoteVerifier[], notes: readonly string[]): Promise<ExportVerification> {
  if (verifiers.length === 0)
    throw new GatewayError(
      'request.invalid',
      'an export is verified with a public key: give `--key`, as `castellan audit checkpoint --public-key` prints it',
    );
  if (!existsSync(path)) throw new GatewayError('request.invalid', `there is no file \`${path}\``);
  const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity });
  return verifyExport(lines, { verifiers, notes });
}

async function withLog<T>(configPath: string, env: Environment, work: (proofs: LogProofs) => Promise<T>): Promise<T> {
  const { config } = loadConfig(configPath, env);
  const db = await openDb(storeOptions(config));
  try {
    return await work(logProofs(config, db));
  } finally {
    await db.close();
  }
}
