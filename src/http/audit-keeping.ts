import { GatewayError } from '../model/errors.ts';
import type { HoldRequest } from '../model/hold-request.ts';
import type { JsonObject } from '../model/json.ts';

/** Erasure of recorded inputs and legal holds, as the admin API needs them. */
export interface AuditKeeping {
  erase(days: { readonly from: string; readonly until?: string }, nowMs: number): Promise<unknown>;
  holds(): Promise<unknown>;
  addHold(hold: HoldRequest, madeBy: string, nowMs: number): Promise<unknown>;
  removeHold(id: string): Promise<void>;
}

/** The body of an erasure. @throws GatewayError `request.invalid` */
export function eraseBody(body: JsonObject): { readonly from: string; readonly until?: string } {
  const { from, until = from } = body;
  if (typeof from !== 'string' || typeof until !== 'string')
    throw new GatewayError('request.invalid', '`from` and `until` must be days such as `2026-11-01`');
  return { from, until };
}

const textKeys = ['issuer', 'subject', 'call'] as const;
const timeKeys = ['sinceMs', 'untilMs'] as const;

/** The body of a hold. @throws GatewayError `request.invalid` for what it does not know too: a misspelt scope would hold everything */
export function holdBody(body: JsonObject): HoldRequest {
  const known = new Set<string>(['reason', ...textKeys, ...timeKeys]);
  const unknown = Object.keys(body).find((key) => !known.has(key));
  if (unknown !== undefined) throw new GatewayError('request.invalid', `a hold has no \`${unknown.slice(0, 40)}\``);
  const { reason } = body;
  if (typeof reason !== 'string' || reason.trim() === '' || reason.length > 1_000)
    throw new GatewayError('request.invalid', '`reason` must be a text of 1 to 1000 characters');
  for (const key of textKeys)
    if (body[key] !== undefined && (typeof body[key] !== 'string' || body[key] === ''))
      throw new GatewayError('request.invalid', `\`${key}\` must be a text`);
  for (const key of timeKeys)
    if (body[key] !== undefined && !Number.isSafeInteger(body[key]))
      throw new GatewayError('request.invalid', `\`${key}\` must be milliseconds since 1970`);
  return body as unknown as HoldRequest;
}
