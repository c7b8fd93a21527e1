// Appends without end and prints each number that was acknowledged; the test kills it.
import { writeSync } from 'node:fs';
import { openAuditLog } from '../../src/audit/open.ts';
import { decided, finished } from './records.ts';

const log = await openAuditLog({
  storeModule: new URL('../../src/store/open.ts', import.meta.url).href,
  storeOptions: { kind: 'sqlite', path: process.argv[2], thread: 'calling' },
});
let index = 0;
await Promise.all(
  Array.from({ length: 16 }, async () => {
    for (;;) {
      const mine = (index += 1);
      const { seq, hash } = await log.append(decided(mine));
      writeSync(1, `${seq} ${hash} call_${mine}\n`);
      log.hand(finished(mine));
    }
  }),
);
