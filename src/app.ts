import { auditStore, createKey, keyRow, storeOptions } from './app/admin.ts';
import { analysisTools } from './app/analysis.ts';
import { auditProofs } from './app/audit-proofs.ts';
import { openAuditReader } from './app/audit-reader.ts';
import { authoringTools } from './app/authoring.ts';
import { startGateway } from './app/gateway.ts';
import { integrityTools } from './app/integrity.ts';
import { keepingTools } from './app/keeping.ts';
import { policyTools, tryPolicy } from './app/policy.ts';
import { receiptTools } from './app/receipts.ts';
import { replayTools } from './app/replay.ts';
import type { Application } from './cli/application.ts';
import { systemRecord } from './app/rooms.ts';
import { upstreamOptions } from './app/upstreams.ts';
import { openAuditLog } from './audit/open.ts';
import { loadConfig } from './config/load.ts';
import { GatewayError } from './model/errors.ts';
import type { TenantId } from './model/ids.ts';
import { createApiKeyBook } from './store/api-keys.ts';
import { openDb } from './store/open.ts';

/** The rooms joined to what the commands need: nothing else builds one. */
export const application: Application = {
  startGateway,
  policy: policyTools,
  authoring: authoringTools,
  analysis: analysisTools,
  integrity: integrityTools,
  keeping: keepingTools,
  replay: replayTools,
  async checkSetup(configPath, env) {
    try {
      const { config } = loadConfig(configPath, env);
      upstreamOptions(config);
      const policy = await tryPolicy(config.policy);
      return { ...policy, upstreams: Object.keys(config.upstreams).length, endpoints: Object.keys(config.endpoints).length };
    } catch (error) {
      if (error instanceof GatewayError)
        return { problems: error.message.split('\n'), upstreams: 0, endpoints: 0, release: null, tests: 0 };
      throw error;
    }
  },
  auditProofs,
  receipts: receiptTools,
  readAudit: openAuditReader,
  async keys(configPath, env) {
    const { config } = loadConfig(configPath, env);
    const db = await openDb(storeOptions(config));
    const book = createApiKeyBook(db);
    const tenant = config.tenant as TenantId;
    // The log has it before it is done, as at the admin API; several processes may write to one log.
    const record = async (code: string, detail: Record<string, string>): Promise<void> => {
      const audit = await openAuditLog(auditStore(config));
      try {
        await audit.append(systemRecord(tenant, code, 'on the command line, by who may open the database', detail));
      } finally {
        await audit.close();
      }
    };
    return {
      create: async (request) => {
        await record('keys.create', { name: request.name });
        return createKey(book, config, request, 'operator', Date.now());
      },
      list: async () => (await book.list(tenant)).map(keyRow),
      revoke: async (id) => {
        await record('keys.revoke', { key: id });
        await book.revoke(tenant, id, Date.now());
        return true;
      },
      close: () => db.close(),
    };
  },
  async runDemo(options) {
    // Loaded only here: the demo's provider and servers are development packages that production leaves out.
    const { runDemo } = await import('./demo/demo.ts');
    return runDemo({ ...options, startGateway });
  },
};
