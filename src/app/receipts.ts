import { openCheckpointBook } from '../audit/checkpoint-book.ts';
import { parseVerifier } from '../audit/note.ts';
import { checkReceipt, parseReceipt, type DecideAnew } from '../audit/receipt-check.ts';
import { writeReceipt, type Receipt } from '../audit/receipt.ts';
import type { KeyRing } from '../audit/sealed-keys.ts';
import type { ReceiptTools } from '../cli/application.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema-types.ts';
import { compileModule } from '../model/compile-module.ts';
import { GatewayError } from '../model/errors.ts';
import type { Db, PolicyEngine } from '../model/ports.ts';
import { workerUrl } from '../model/worker-url.ts';
import { createPolicyEngine } from '../policy/pool.ts';
import { servedBuiltins } from '../rego/served-builtins.ts';
import { openDb } from '../store/open.ts';
import { createReleaseModules } from '../store/release-modules.ts';
import { storeOptions } from './stores.ts';
import { checkpointSigner } from './checkpoints.ts';
import { readGiven, textOf } from './given-files.ts';
import { readInputKeys } from './input-keys.ts';

/** The receipt of a call; `keys` open the inputs that belong into it. @throws GatewayError as `writeReceipt` says */
export function receiptOf(config: Config, db: Db, callId: string, keys: KeyRing | undefined): Promise<Receipt> {
  const { tenant } = config;
  const modules = createReleaseModules(db);
  return writeReceipt(db, {
    tenant,
    callId,
    keys,
    module: (id, build) => modules.find(tenant, id, build),
    makeCheckpoint: async () => {
      const signer = await checkpointSigner(config);
      return signer === undefined ? undefined : openCheckpointBook(db, tenant).make(signer, Date.now());
    },
  });
}

const maxMemoryBytes = 512 * 1_048_576;
/** Generous: a machine that checks may be slower than the one that decided. */
const deadlineMs = 10_000;

/** Receipts for the command line. */
export const receiptTools: ReceiptTools = {
  write: async (configPath, env, callId, withInputs) => {
    const { config } = loadConfig(configPath, env);
    const db = await openDb(storeOptions(config));
    try {
      return await receiptOf(config, db, callId, withInputs ? readInputKeys(config) : undefined);
    } finally {
      await db.close();
    }
  },
  check: async (path, given) => {
    const { keys } = await readGiven({ keys: given });
    if (keys.length === 0)
      throw new GatewayError(
        'request.invalid',
        'a receipt is checked with a public key: give `--key`, as `castellan audit checkpoint --public-key` prints it',
      );
    const receipt = parseReceipt(await textOf(path));
    const engines = new Map<string, Promise<PolicyEngine>>();
    const decide: DecideAnew = async ({ wasm, data }, entry, inputJson) => {
      const name = Buffer.from(wasm).toString('base64');
      let engine = engines.get(name);
      if (engine === undefined) engines.set(name, (engine = openEngine(wasm, data)));
      try {
        // The entrypoint and its answer's type go together in the port's overloads; here one call serves them all.
        return await (await engine).evaluate(entry as 'gateway/call', inputJson, deadlineMs);
      } catch (error) {
        return {
          ok: false,
          fault: 'error',
          message: `the module cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
          tookMs: 0,
        };
      }
    };
    try {
      return await checkReceipt(receipt, keys.map(parseVerifier), decide);
    } finally {
      for (const opened of await Promise.allSettled(engines.values())) if (opened.status === 'fulfilled') await opened.value.close();
    }
  },
};

async function openEngine(wasm: Uint8Array<ArrayBuffer>, dataJson: string): Promise<PolicyEngine> {
  return createPolicyEngine({
    module: await compileModule(wasm),
    dataJson,
    workers: 1,
    spares: 0,
    maxMemoryBytes,
    builtins: { names: servedBuiltins, callerUrl: workerUrl(import.meta.url, '../rego/builtins').href },
  });
}
