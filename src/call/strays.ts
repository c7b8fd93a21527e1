import type { AuditLog } from '../model/ports.ts';
import type { AuditRecord } from '../model/audit-record.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { StrayMessage, UpstreamMessage } from '../upstream/types.ts';
import { kindOf } from './methods.ts';
import type { Session } from './session.ts';

/** Records of one upstream's strays at once, and how long it takes until there may be another. */
const burst = 100;
const refillMs = 6_000;
/** How long strays beyond that are counted before one record says how many they were. */
const countedMs = 60_000;

const code: ErrorCode = 'message.unplaced';

/** A stray with the endpoint of the session that it came to, where that is known. */
export interface Stray extends StrayMessage {
  readonly endpoint?: string;
}

/** What strays are told to. */
export interface StraysPorts {
  readonly tenant: string;
  readonly audit: Pick<AuditLog, 'hand'>;
  /** Hears of each, also of those that have no record of their own. */
  readonly onRefused: (code: ErrorCode) => void;
  readonly now: () => number;
}

interface Account {
  /** Records that may be written now, as of `atMs`. */
  left: number;
  atMs: number;
  /** Strays that have no record of their own yet. */
  counted: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Keeps account of what upstreams send and nobody takes: each has a record, as any message that is refused. Where an upstream sends more than
 * 100 at once or 10 a minute the rest is counted, and one record a minute says how many they were: it cannot fill the log.
 */
export class Strays {
  readonly #ports: StraysPorts;
  readonly #accounts = new Map<string, Account>();

  constructor(ports: StraysPorts) {
    this.#ports = ports;
  }

  take(stray: Stray): void {
    this.#ports.onRefused(code);
    const nowMs = this.#ports.now();
    const account = this.#account(stray.upstream, nowMs);
    account.left = Math.min(burst, account.left + Math.max(0, nowMs - account.atMs) / refillMs);
    account.atMs = nowMs;
    if (account.left >= 1) {
      account.left--;
      this.#ports.audit.hand(this.#recordOf(stray, nowMs));
      return;
    }
    account.counted++;
    account.timer ??= setTimeout(() => this.#tell(stray.upstream, account), countedMs).unref();
  }

  /** Records what was only counted so far. */
  close(): void {
    for (const [upstream, account] of this.#accounts) this.#tell(upstream, account);
  }

  #account(upstream: string, atMs: number): Account {
    let account = this.#accounts.get(upstream);
    // As many as upstreams were ever configured.
    if (account === undefined) this.#accounts.set(upstream, (account = { left: burst, atMs, counted: 0, timer: undefined }));
    return account;
  }

  #tell(upstream: string, account: Account): void {
    clearTimeout(account.timer);
    account.timer = undefined;
    const { counted } = account;
    if (counted === 0) return;
    account.counted = 0;
    const nowMs = this.#ports.now();
    this.#ports.audit.hand({
      v: 1,
      kind: 'refused',
      at: new Date(nowMs).toISOString(),
      tenant: this.#ports.tenant,
      what: { phase: 'message', method: '', endpoint: '', kind: 'unknown', server: upstream, name: '', bytes: 0 },
      event: { code, message: `${String(counted)} more messages that nobody takes went nowhere`, detail: { messages: counted } },
    });
  }

  #recordOf({ upstream, form, method = '', why, session, endpoint = '' }: Stray, nowMs: number): AuditRecord {
    return {
      v: 1,
      kind: 'refused',
      at: new Date(nowMs).toISOString(),
      tenant: this.#ports.tenant,
      ...(session === undefined ? {} : { session }),
      what: { phase: 'message', method, endpoint, kind: kindOf(method), server: upstream, name: method, bytes: 0 },
      event: { code, message: why, detail: { form } },
    };
  }
}

/** A message that came to a session and is not even judged. */
export function strayOf(
  session: Session,
  upstream: string,
  { kind: form, method }: Pick<UpstreamMessage, 'kind' | 'method'>,
  why: string,
): Stray {
  return { upstream, form, method, why, session: session.publicId, endpoint: session.endpoint };
}
