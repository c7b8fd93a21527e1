import { newId } from '../model/ids.ts';
import type { Call } from './call.ts';
import { listable, visibleItems } from './lists.ts';
import { kindOf } from './methods.ts';
import type { Parts } from './parts.ts';
import { finishedRecord } from './record.ts';

/** The lists in which an identity may see something of a server. */
const listMethods = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'] as const;

/**
 * What the servers of an endpoint tell models, for the identity of this call: nothing of a server of which none of its lists shows it
 * anything. Each list that has to be looked at is one decision of `gateway/list`, recorded under the call's method. Instructions of the
 * configuration's own are for everybody.
 * @throws GatewayError `audit.unavailable`
 */
export async function instructionsFor(parts: Parts, call: Call): Promise<string | undefined> {
  const { instructions } = call.snapshot.endpoint;
  const unseen = new Set(instructions.from);
  for (const method of listMethods) {
    if (unseen.size === 0) break;
    const listing: Call = { ...call, id: newId('call'), method, target: { kind: kindOf(method), server: null, name: method }, subject: {} };
    if (!listable(listing).some(({ server }) => unseen.has(server))) continue;
    const recorded: Call = { ...call, id: listing.id };
    const { shown, decision } = await visibleItems(parts, recorded, listing);
    for (const { server } of shown) unseen.delete(server);
    const status = decision.effect === 'deny' ? 'denied' : 'ok';
    parts.audit.hand(finishedRecord(recorded, { status, bytes: 0, total_ms: 0 }, parts.now()));
  }
  return instructions.of((server) => !unseen.has(server));
}
