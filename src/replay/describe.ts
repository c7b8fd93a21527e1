import type { RecordedDecision } from '../model/recorded.ts';
import type { Difference } from './groups.ts';

interface Facts {
  readonly identity?: { readonly subject?: unknown; readonly client?: unknown; readonly groups?: unknown };
  readonly target?: { readonly kind?: unknown; readonly server?: unknown; readonly name?: unknown };
  readonly request?: { readonly method?: unknown };
}

/** Who, what and when of a recorded decision: from its input, which a finished record's facts are in too. */
export function describe({ record, seq, entry }: RecordedDecision, json: string): Omit<Difference, 'kind' | 'was' | 'now'> {
  const { identity, target, request } = JSON.parse(json) as Facts;
  const groups = Array.isArray(identity?.groups) ? identity.groups.filter((group) => typeof group === 'string') : [];
  const method = textOf(request?.method) ?? record.what?.method ?? entry;
  const server = textOf(target?.server);
  const name = textOf(target?.name) ?? record.what?.name ?? '';
  return {
    entry,
    call: record.call ?? '',
    seq,
    at: record.at,
    tool: server === undefined ? method : `${server}/${name}`,
    role: groups.length === 0 ? '(no group)' : [...groups].sort().join(', '),
    identity: textOf(identity?.subject) ?? record.who?.subject ?? '(unknown)',
    words: record.decision?.reasons.map(({ message }) => message).join('; ') ?? '',
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
