import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Gives back what the start of this thread used: loading modules, reading the configuration and compiling schemas leave garbage, and bytecode
 * that ran once, which an idle process would keep: some 30 MB in the main thread, 3 in a worker. What runs again is compiled again. Costs
 * one full collection, 30 ms in the main thread and 10 in a worker; to be called before anybody waits. V8 may drop
 * compiled WebAssembly of the whole process with it, so this is nothing for threads that come and go, such as those that evaluate policy.
 */
export function trimMemory(): void {
  // Flags are the whole process's: another thread that takes this one back meanwhile would leave nothing to call here.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('globalThis.gc') as ((options: object) => void) | undefined;
  if (collect === undefined) return;
  setFlagsFromString('--stress-flush-code');
  try {
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  } finally {
    setFlagsFromString('--no-stress-flush-code');
  }
}
