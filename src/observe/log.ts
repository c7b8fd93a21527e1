import type { Writable } from 'node:stream';
import winston from 'winston';
import type { Json } from '../model/json.ts';
import { cleanMembers } from './clean-fields.ts';
import { prettyLine } from './pretty-line.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Facts that go with an event. Anything may be in here: what must not be in the log is taken out. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The gateway's log: one line an event, `time`, `level`, `event`, then the fields. Writing never throws and never waits. */
export interface Log {
  readonly debug: (event: string, fields?: LogFields) => void;
  readonly info: (event: string, fields?: LogFields) => void;
  readonly warn: (event: string, fields?: LogFields) => void;
  readonly error: (event: string, fields?: LogFields) => void;
  readonly write: (level: LogLevel, event: string, fields?: LogFields) => void;
  /** Whether a line of this level would be written: for fields that cost something to gather. */
  readonly enabled: (level: LogLevel) => boolean;
  /** The same log with these fields on every line, such as `request` or `call`. */
  readonly child: (fields: LogFields) => Log;
  /** Changes level and format, for this log and all its children, as a reload does. */
  readonly configure: (settings: { readonly level?: LogLevel; readonly format?: LogFormat }) => void;
  /** Masks these texts wherever they turn up from now on: the secrets of the configuration. Shorter than 6 characters are left alone. */
  readonly conceal: (secrets: Iterable<string>) => void;
  /** Resolves when everything written so far has been handed to the stream. Nothing may be written after it. */
  readonly close: () => Promise<void>;
}

export type LogFormat = 'json' | 'pretty';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Default: standard output. */
  readonly stream?: Writable;
  /** Colours in the pretty format. Default: off. */
  readonly color?: boolean;
  readonly now?: () => Date;
  /** Hears of each line, cleaned, for another way out. Must not throw, and must not write to the log. */
  readonly onEntry?: (entry: LogEntry) => void;
}

const ranks: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };
/** A shorter text would be masked in the middle of ordinary words. */
const minSecretChars = 6;

interface Settings {
  level: LogLevel;
  format: LogFormat;
  known: readonly string[];
}

/**
 * A log that no secret leaves: see `clean-fields.ts` and `mask-text.ts` for what is taken out. Errors are written with code, message and
 * causes, and with their stack at level `debug` only.
 */
export function createLog(options: LogOptions): Log {
  const settings: Settings = { level: options.level, format: options.format, known: [] };
  const stream = options.stream ?? process.stdout;
  const line = winston.format.printf((info) => String(info.message));
  const logger = winston.createLogger({
    levels: ranks,
    level: 'debug',
    format: line,
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's types name its transports twice
    transports: [new winston.transports.Stream({ stream })],
  });
  // Whoever read the log may be gone (EPIPE). The gateway goes on without it: what must not be lost is in the audit log.
  stream.on('error', () => undefined);
  const now = options.now ?? ((): Date => new Date());
  const write = (level: LogLevel, event: string, fields: LogFields): void => {
    const how = { known: settings.known, stacks: settings.level === 'debug' };
    const entry: LogEntry = { time: now().toISOString(), level, event, fields: cleanMembers(fields, how) };
    logger.log(level, settings.format === 'json' ? jsonLine(entry) : prettyLine(entry, options.color ?? false));
    options.onEntry?.(entry);
  };
  const close = async (): Promise<void> => {
    const finished = new Promise<void>((resolve) => logger.once('finish', resolve));
    logger.end();
    await finished;
    await new Promise<void>((resolve) =>
      stream.errored !== null || stream.writableEnded || stream.destroyed ? resolve() : stream.write('', () => resolve()),
    );
  };
  const conceal = (secrets: Iterable<string>): void => {
    const all = new Set([...settings.known, ...[...secrets].flatMap(spellings)]);
    settings.known = [...all].sort((left, right) => right.length - left.length);
  };
  const configure = ({ level, format }: { readonly level?: LogLevel; readonly format?: LogFormat }): void => {
    settings.level = level ?? settings.level;
    settings.format = format ?? settings.format;
  };
  return logWith({}, settings, write, { close, conceal, configure });
}

/** One event, cleaned. */
export interface LogEntry {
  readonly time: string;
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: Readonly<Record<string, Json>>;
}

function logWith(
  bound: LogFields,
  settings: Settings,
  write: (level: LogLevel, event: string, fields: LogFields) => void,
  common: Pick<Log, 'close' | 'conceal' | 'configure'>,
): Log {
  const enabled = (level: LogLevel): boolean => ranks[level] <= ranks[settings.level];
  const at =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}): void => {
      if (enabled(level)) write(level, event, { ...bound, ...fields });
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    write: (level, event, fields) => at(level)(event, fields),
    enabled,
    child: (fields) => logWith({ ...bound, ...fields }, settings, write, common),
    ...common,
  };
}

/** A field that has the name of one of the line's own keys gets a `_` behind it. */
function jsonLine({ time, level, event, fields }: LogEntry): string {
  const line: Record<string, Json> = { time, level, event };
  for (const [key, value] of Object.entries(fields)) line[Object.hasOwn(line, key) ? `${key}_` : key] = value;
  return JSON.stringify(line);
}

/** A secret, and how it looks inside a URL or JSON, or as base64 of a Basic header's half. */
function spellings(secret: string): string[] {
  if (secret.length < minSecretChars) return [];
  return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), Buffer.from(secret).toString('base64')];
}
