import type { Json } from '../model/json.ts';
import type { LogEntry, LogLevel } from './log.ts';

const colors: Readonly<Record<LogLevel, string>> = { error: '\u001b[31m', warn: '\u001b[33m', info: '\u001b[32m', debug: '\u001b[90m' };
const reset = '\u001b[0m';

/** An event for people: time of day, level, event, `key=value`. A stack follows on lines of its own. */
export function prettyLine({ time, level, event, fields }: LogEntry, color: boolean): string {
  const name = level.toUpperCase().padEnd(5);
  const parts = Object.entries(fields).map(([key, value]) => `${key}=${shown(value)}`);
  return [time.slice(11, 23), color ? `${colors[level]}${name}${reset}` : name, event, ...parts].join(' ');
}

/** Text without surprises stands as it is; everything else as JSON, so that no line break or escape sequence reaches the terminal. */
function shown(value: Json): string {
  return typeof value === 'string' && /^[\p{L}\p{N}._:/@+*[\]-]+$/u.test(value) ? value : JSON.stringify(value);
}
