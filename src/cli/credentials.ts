import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { GatewayError } from '../model/errors.ts';

/** What `castellan login` keeps for one gateway. */
export interface StoredLogin {
  readonly server: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly audience: string;
  readonly scopes: readonly string[];
  readonly accessToken: string;
  readonly expiresAtMs: number;
  readonly refreshToken?: string;
}

/** File of the signed-in gateways: `$XDG_CONFIG_HOME/castellan/credentials.json`, readable by its owner only. */
export function credentialsPath(env: Readonly<Record<string, string | undefined>>): string {
  return join(env['XDG_CONFIG_HOME'] ?? join(env['HOME'] ?? homedir(), '.config'), 'castellan', 'credentials.json');
}

/** The login for `server`; for the only one when none is named. @throws GatewayError `auth.required`, `request.invalid` */
export function readLogin(path: string, server: string | undefined): StoredLogin {
  const logins = readAll(path);
  const found = server === undefined ? (logins.length === 1 ? logins[0] : undefined) : logins.find((login) => login.server === server);
  if (found !== undefined) return found;
  if (server === undefined && logins.length > 1) {
    throw new GatewayError(
      'request.invalid',
      `signed in at ${logins.map((login) => `\`${login.server}\``).join(', ')}; choose one with --server`,
    );
  }
  throw new GatewayError(
    'auth.required',
    `not signed in${server === undefined ? '' : ` at \`${server}\``}; run \`castellan login --server URL\` first`,
  );
}

/** Keeps a login; the file appears whole or not at all. */
export function writeLogin(path: string, login: StoredLogin): void {
  const others = readAll(path).filter((other) => other.server !== login.server);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify({ version: 1, logins: [...others, login] }, null, 2)}\n`, { mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, path);
}

/** Forgets the login at `server`; gives whether there was one. */
export function dropLogin(path: string, server: string): boolean {
  const logins = readAll(path);
  const left = logins.filter((login) => login.server !== server);
  if (left.length === logins.length) return false;
  if (left.length === 0) rmSync(path, { force: true });
  else writeFileSync(path, `${JSON.stringify({ version: 1, logins: left }, null, 2)}\n`, { mode: 0o600 });
  return true;
}

function readAll(path: string): readonly StoredLogin[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new GatewayError('request.invalid', `\`${path}\` cannot be read; check its permissions`, { cause: error });
  }
  try {
    return (JSON.parse(text) as { logins?: readonly StoredLogin[] }).logins ?? [];
  } catch (cause) {
    throw new GatewayError('request.invalid', `\`${path}\` is not JSON; delete it and run \`castellan login\` again`, { cause });
  }
}
