import { readFileSync } from 'node:fs';
import { dirname, resolve as resolvePath } from 'node:path';
import { GatewayError } from '../model/errors.ts';
import { compileFiller } from '../model/validate.ts';
import { checkAccess, type KnownNames } from './check-access.ts';
import { checkEndpoints } from './check-endpoints.ts';
import { checkLimits, checkPolicySource } from './check-limits.ts';
import { checkSinks } from './check-sinks.ts';
import { checkUpstreams } from './check-upstreams.ts';
import { readDocument, type ConfigDocument } from './document.ts';
import { pathText, type Problem } from './problem.ts';
import { prune } from './prune.ts';
import { resolveConfig } from './resolve.ts';
import { configSchema } from './schema.ts';
import { schemaProblems } from './schema-problems.ts';
import type { Config } from './schema-types.ts';
import type { Secret } from './secret.ts';

/** A configuration that holds together. */
export interface LoadedConfig {
  /** Frozen; every default is in place, every path absolute. */
  readonly config: Config;
  /** The file itself, every file that a secret came from, and the lockfile where one is used, absolute: what {@link watchConfig} is given. */
  readonly files: readonly string[];
  /** Every secret in it, so that the log can be told to hide them. */
  readonly secrets: readonly Secret[];
}

/** One mistake in the file, as `detail.problems` of the error has it. */
export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
}

const maxFileBytes = 1_048_576;

/**
 * Reads the configuration file. Nothing is started from a file with a mistake.
 * @throws GatewayError `config.invalid` whose message has a line for every mistake: `file:line:column: path: what; cure`, and whose
 * `detail.problems` has the same as {@link ConfigProblem}s. Neither repeats a value of the file that could be a secret.
 */
export function loadConfig(path: string, env: Readonly<Record<string, string | undefined>>): LoadedConfig {
  const document = readDocument(readText(path));
  if (document.value === undefined || document.syntax.length > 0)
    throw invalid(document.syntax.map(({ position, message }) => ({ file: path, ...position, path: '(file)', message })));

  const check = compileFiller(configSchema as Readonly<Record<string, unknown>>);
  const value = document.value;
  const problems: Problem[] = checkPolicySource(value);
  problems.push(...schemaProblems(check(value), value));
  const known = knownNames(value);
  // What fits is checked further even where something else does not fit, so that one run tells everything.
  const rest = prune(value, check);
  if (rest === undefined) throw invalid(placed(problems, path, document));
  const { config, secrets, files, problems: unresolved } = resolveConfig(rest.value, dirname(resolvePath(path)), env);
  const crossed = [
    ...checkAccess(config, known),
    ...checkUpstreams(config),
    ...checkEndpoints(config, known),
    ...checkLimits(config),
    ...checkSinks(config),
  ];
  for (const problem of [...unresolved, ...crossed]) problems.push({ ...problem, path: rest.original(problem.path) });
  if (problems.length > 0) throw invalid(placed(problems, path, document));
  const usesLock = Object.values(config.upstreams).some(({ pinning }) => pinning === 'lockfile');
  return { config, secrets, files: [resolvePath(path), ...files, ...(usesLock ? [config.lockfile] : [])] };
}

function readText(path: string): string {
  try {
    const bytes = readFileSync(path);
    if (bytes.byteLength > maxFileBytes)
      throw fileProblem(path, `the file is larger than ${maxFileBytes} bytes; is this the configuration?`);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT') throw fileProblem(path, 'there is no such file; name one with `--config PATH`', error);
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw fileProblem(path, 'the file is not UTF-8; save it as UTF-8', error);
    throw fileProblem(path, `the file cannot be read (${code}); check that it is a file and that the gateway's user may read it`, error);
  }
}

function fileProblem(file: string, message: string, cause?: unknown): GatewayError {
  return invalid([{ file, line: 1, column: 1, path: '(file)', message }], cause);
}

function placed(problems: readonly Problem[], file: string, document: ConfigDocument): ConfigProblem[] {
  const all = problems.map((problem) => ({ file, ...document.locate(problem), path: pathText(problem.path), message: problem.message }));
  return all.sort((left, right) => left.line - right.line || left.column - right.column);
}

function invalid(problems: readonly ConfigProblem[], cause?: unknown): GatewayError {
  const lines = problems.map(({ file, line, column, path, message }) => `${file}:${line}:${column}: ${path}: ${message}`);
  return new GatewayError('config.invalid', lines.join('\n'), { detail: { problems }, ...(cause === undefined ? {} : { cause }) });
}

function knownNames(value: unknown): KnownNames {
  const { upstreams, issuers } = (typeof value === 'object' && value !== null ? value : {}) as { upstreams?: unknown; issuers?: unknown };
  const entries: unknown[] = Array.isArray(issuers) ? issuers : [];
  return {
    upstreams: new Set(typeof upstreams === 'object' && upstreams !== null ? Object.keys(upstreams) : []),
    issuers: new Set(entries.map((entry) => (entry as { issuer?: unknown } | null)?.issuer).filter((issuer) => typeof issuer === 'string')),
  };
}
