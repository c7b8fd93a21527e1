import { Writable } from 'node:stream';
import { createLog, type Log, type LogOptions } from '../../src/observe/log.ts';

/** A log whose lines are kept. */
export function collectedLog(options: Partial<LogOptions> = {}): { readonly log: Log; readonly lines: () => Promise<string[]> } {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  const now = (): Date => new Date('2026-11-21T07:30:00.123Z');
  const log = createLog({ level: 'info', format: 'json', stream, now, ...options });
  const lines = async (): Promise<string[]> => {
    await log.close();
    return text.split('\n').filter((line) => line !== '');
  };
  return { log, lines };
}

/** The one line of a log, parsed. */
export async function onlyLine(options: Partial<LogOptions>, write: (log: Log) => void): Promise<Record<string, unknown>> {
  const { log, lines } = collectedLog(options);
  write(log);
  const [line = '', ...more] = await lines();
  if (more.length > 0) throw new Error(`more than one line: ${more.join('\n')}`);
  return JSON.parse(line) as Record<string, unknown>;
}
