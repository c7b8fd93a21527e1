import type { AuditSearch } from '../audit/query.ts';
import type { AuditFilter } from '../audit/read.ts';
import { effects, type Effect } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';

const kinds: readonly AuditFilter['kind'][] = ['decided', 'finished', 'refused', 'admin', 'system'];

/** A search as the admin API is asked for it: names of the query are those of the manual. @throws GatewayError `request.invalid` */
export function auditSearch(tenant: string, query: URLSearchParams): AuditSearch {
  const text = (name: string): string | undefined => query.get(name) ?? undefined;
  const whole = (name: string): number | undefined => {
    const value = query.get(name);
    if (value === null) return undefined;
    const parsed = Number(value);
    if (!Number.isSafeInteger(parsed) || parsed < 0) throw new GatewayError('request.invalid', `\`${name}\` must be a whole number`);
    return parsed;
  };
  const one = <Value extends string | undefined>(name: string, values: readonly Value[]): Value | undefined => {
    const value = text(name);
    if (value === undefined || values.some((known) => known === value)) return value as Value;
    throw new GatewayError('request.invalid', `\`${name}\` must be one of ${values.map((known) => `\`${known ?? ''}\``).join(', ')}`);
  };
  const identity = present({ issuer: text('issuer'), subject: text('identity'), client: text('client') });
  return {
    tenant,
    ...present({
      tool: text('tool'),
      server: text('server'),
      endpoint: text('endpoint'),
      method: text('method'),
      effect: one<Effect>('effect', effects),
      rule: text('rule'),
      release: text('release'),
      callId: text('call'),
      kind: one('kind', kinds),
      sinceMs: whole('since_ms'),
      untilMs: whole('until_ms'),
      afterSeq: whole('after_seq'),
      beforeSeq: whole('before_seq'),
      text: text('text'),
      cursor: text('cursor'),
      identity: Object.keys(identity).length === 0 ? undefined : identity,
    }),
    limit: Math.min(whole('limit') ?? 100, 1000),
  };
}

type Present<Given> = { [Key in keyof Given]?: Exclude<Given[Key], undefined> };

function present<Given extends object>(given: Given): Present<Given> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Present<Given>;
}
