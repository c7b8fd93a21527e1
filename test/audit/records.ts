import type { AuditRecord } from '../../src/model/audit-record.ts';

export const startMs = Date.UTC(2026, 0, 1);

/** A record of usual size; `index` makes it one of its own, a second after the one before. */
export function decided(index: number, changes: Partial<AuditRecord> = {}): AuditRecord {
  return {
    v: 1,
    kind: 'decided',
    at: new Date(startMs + index * 1000).toISOString(),
    tenant: 'default',
    call: `call_${index}`,
    session: 'session-1',
    ip: '192.0.2.1',
    who: { issuer: 'https://idp.example', subject: `user-${index % 3}`, client: 'agent', groups: ['developers'] },
    what: {
      phase: 'call',
      method: 'tools/call',
      endpoint: 'main',
      kind: 'tool',
      server: 'files',
      name: index % 2 === 0 ? 'read_file' : 'write_file',
      arguments_digest: `sha256:${'a'.repeat(64)}`,
      bytes: 420,
    },
    decision: {
      effect: index % 5 === 0 ? 'deny' : 'allow',
      reasons: [{ rule: index % 5 === 0 ? 'files/root' : 'tools/granted', effect: 'allow', message: 'because policy says so' }],
      release: 'r1',
      input_digest: `sha256:${'b'.repeat(64)}`,
      took_ms: 0.1,
    },
    ...changes,
  };
}

export function finished(index: number, changes: Partial<AuditRecord> = {}): AuditRecord {
  const { decision: _decision, ...rest } = decided(index);
  return { ...rest, kind: 'finished', outcome: { status: 'ok', bytes: 10, total_ms: 3 }, ...changes };
}
