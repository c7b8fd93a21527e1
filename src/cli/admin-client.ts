import { refreshLogin } from '../identity/login.ts';
import { GatewayError, errorTable, type ErrorCode } from '../model/errors.ts';
import { credentialsPath, readLogin, writeLogin, type StoredLogin } from './credentials.ts';

/** How a command reaches the admin API: by a login, or by `CASTELLAN_TOKEN` where there is no person. */
export interface AdminOptions {
  readonly server?: string | undefined;
}

/** Time that one request to the admin API may take. */
const timeoutMs = 30_000;

/** Calls the admin API of a gateway. */
export class AdminClient {
  readonly #server: string;
  readonly #token: () => Promise<string>;

  private constructor(server: string, token: () => Promise<string>) {
    this.#server = server;
    this.#token = token;
  }

  /** @throws GatewayError `auth.required`, `request.invalid` */
  static connect(options: AdminOptions, env: Readonly<Record<string, string | undefined>>): AdminClient {
    const named = (options.server ?? env['CASTELLAN_SERVER'])?.replace(/\/+$/, '');
    const token = env['CASTELLAN_TOKEN'];
    if (token !== undefined && token !== '') {
      if (named === undefined) throw new GatewayError('request.invalid', 'name the gateway with --server or CASTELLAN_SERVER');
      return new AdminClient(named, () => Promise.resolve(token));
    }
    const path = credentialsPath(env);
    const login = readLogin(path, named);
    return new AdminClient(login.server, () => fresh(path, login));
  }

  async call<Answer>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer> {
    const response = await this.#ask(method, path, AbortSignal.timeout(timeoutMs), body);
    return (await response.json().catch(() => undefined)) as Answer;
  }

  /** A file, piece by piece; it may take as long as it takes. @throws GatewayError as {@link call}; `upstream.unreachable` when it breaks off */
  async *download(path: string): AsyncIterable<Uint8Array> {
    const response = await this.#ask('GET', path, undefined);
    try {
      for await (const piece of response.body ?? []) yield piece as Uint8Array;
    } catch (cause) {
      throw new GatewayError('upstream.unreachable', `\`${this.#server}\` broke off; what was written is not all of it`, { cause });
    }
  }

  async #ask(method: 'GET' | 'POST' | 'DELETE', path: string, signal: AbortSignal | undefined, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = { authorization: `Bearer ${await this.#token()}`, accept: 'application/json' };
    if (body !== undefined) headers['content-type'] = 'application/json';
    let response: Response;
    try {
      response = await fetch(`${this.#server}/admin/v1${path}`, {
        method,
        headers,
        redirect: 'error',
        ...(signal === undefined ? {} : { signal }),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw new GatewayError('upstream.unreachable', `\`${this.#server}\` does not answer; check the address and that the gateway is up`, {
        cause,
      });
    }
    if (response.ok) return response;
    const answer = (await response.json().catch(() => undefined)) as { error?: { code?: string; message?: string } } | undefined;
    const code = answer?.error?.code ?? '';
    const known: ErrorCode = Object.hasOwn(errorTable, code)
      ? (code as ErrorCode)
      : response.status === 401
        ? 'auth.invalid_token'
        : 'request.invalid';
    throw new GatewayError(known, answer?.error?.message ?? `\`${this.#server}\` answered with status ${response.status}`);
  }
}

async function fresh(path: string, login: StoredLogin): Promise<string> {
  if (login.expiresAtMs - Date.now() > 30_000) return login.accessToken;
  if (login.refreshToken === undefined)
    throw new GatewayError('auth.required', `the sign-in at \`${login.server}\` has expired; run \`castellan login\` again`);
  const { issuer, clientId, scopes, audience } = login;
  const tokens = await refreshLogin({ issuer, clientId, scopes, resource: audience }, login.refreshToken);
  writeLogin(path, { ...login, ...tokens });
  return tokens.accessToken;
}
