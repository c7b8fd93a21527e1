import { createRecordedDecisions } from '../audit/recorded-decisions.ts';
import type { KeyRing } from '../audit/sealed-keys.ts';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import type { RecordedDecision } from '../model/recorded.ts';
import { createReleaseSources } from '../store/release-sources.ts';
import { explain, type Explanation } from '../workshop/explain.ts';
import { withOpa } from './traffic.ts';

/**
 * Explains a recorded decision by the very release that made it, whatever is in force now.
 * @param callId the id of its call; of several decisions the one on the call itself, not on its result, is meant
 * @throws GatewayError `not_found`; `request.invalid` where its input or the text of its release is gone; `store.unavailable`
 */
export async function explainRecorded(db: Db, keys: KeyRing | undefined, tenant: string, callId: string): Promise<Explanation> {
  const found = mainDecision(callId, await createRecordedDecisions(db, keys).ofCall(tenant, callId));
  const inputJson = keptInput(callId, found);
  const release = found.record.decision?.release ?? '';
  const files = await createReleaseSources(db).find(tenant, release);
  if (files === undefined)
    throw new GatewayError(
      'request.invalid',
      `the text of release \`${release}\` is not stored; name a policy to explain it by with \`--policy\``,
    );
  return await withOpa(async (opa) => explain(opa, { inputJson, files }));
}

/** The last decision of a call that was not of its result. @throws GatewayError `not_found` */
export function mainDecision(callId: string, decisions: readonly RecordedDecision[]): RecordedDecision {
  const found = decisions.findLast(({ entry }) => entry === 'gateway/call' || entry === 'gateway/message') ?? decisions.at(-1);
  if (found === undefined) throw new GatewayError('not_found', `there is no decision \`${callId}\` on record; give the id of a call`);
  return found;
}

/** @throws GatewayError `request.invalid` where the input is gone or not whole */
export function keptInput(callId: string, { input }: RecordedDecision): string {
  if (input.state === 'kept') return input.json;
  const why = input.state === 'masked' ? 'masked' : input.why.replaceAll('_', ' ');
  throw new GatewayError('request.invalid', `the input of \`${callId}\` is ${why}; give one like it with \`--input\``);
}
