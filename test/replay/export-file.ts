import type { RecordedDecision } from '../../src/model/recorded.ts';
import type { ExportHead } from '../../src/replay/recorded-file.ts';

/** The text of an export whose values are as they were. */
export function exportFile(recorded: readonly RecordedDecision[], historyWindowMs: number): string {
  const head: ExportHead = {
    castellan_replay_export: 1,
    made_at: '2026-11-21T00:00:00.000Z',
    release: 'sha256:test',
    tokenised: false,
    history_window_ms: historyWindowMs,
    vocabulary: { literals: [], numbers: [] },
  };
  return `${[head, ...recorded].map((line) => JSON.stringify(line)).join('\n')}\n`;
}
