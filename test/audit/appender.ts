// Appends without end, each record with a sealed input, and prints each number that was acknowledged; the test kills it.
import { writeSync } from 'node:fs';
import { openAuditLog } from '../../src/audit/open.ts';
import { sealingKey } from '../../src/audit/sealed-keys.ts';
import { keptInput } from './inputs.ts';
import { decided, finished } from './records.ts';

const log = await openAuditLog({
  storeModule: new URL('../../src/store/open.ts', import.meta.url).href,
  storeOptions: { kind: 'sqlite', path: process.argv[2], thread: 'calling' },
  keys: { current: sealingKey(process.argv[3] ?? '', 'an argument'), earlier: [] },
});
let index = 0;
await Promise.all(
  Array.from({ length: 16 }, async () => {
    for (;;) {
      const mine = (index += 1);
      const record = decided(mine);
      const { seq, hash } = await log.append({ ...record, decision: { ...record.decision!, input_digest: '' } }, keptInput(mine));
      writeSync(1, `${seq} ${hash} call_${mine}\n`);
      log.hand(finished(mine));
    }
  }),
);
