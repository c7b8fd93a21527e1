import { lazily } from './app/lazily.ts';
import type { Application } from './cli/application.ts';

/** The rooms joined to what the commands need: nothing else builds one. Each is loaded when a command uses it, so that the others start at once. */
export const application: Application = {
  startGateway: async (options) => (await import('./app/gateway.ts')).startGateway(options),
  policy: lazily(async () => (await import('./app/policy.ts')).policyTools),
  authoring: lazily(async () => (await import('./app/authoring.ts')).authoringTools),
  analysis: lazily(async () => (await import('./app/analysis.ts')).analysisTools),
  integrity: lazily(async () => (await import('./app/integrity.ts')).integrityTools),
  keeping: lazily(async () => (await import('./app/keeping.ts')).keepingTools),
  replay: lazily(async () => (await import('./app/replay.ts')).replayTools),
  checkSetup: async (configPath, env) => (await import('./app/check-setup.ts')).checkSetup(configPath, env),
  auditProofs: lazily(async () => (await import('./app/audit-proofs.ts')).auditProofs),
  receipts: lazily(async () => (await import('./app/receipts.ts')).receiptTools),
  readAudit: async (configPath, env) => (await import('./app/audit-reader.ts')).openAuditReader(configPath, env),
  keys: async (configPath, env) => (await import('./app/offline-keys.ts')).openOfflineKeys(configPath, env),
  async runDemo(options) {
    // The demo's provider and servers are development packages that production leaves out.
    const [{ runDemo }, { startGateway }] = await Promise.all([import('./demo/demo.ts'), import('./app/gateway.ts')]);
    return runDemo({ ...options, startGateway });
  },
};
