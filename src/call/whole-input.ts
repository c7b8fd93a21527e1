import { isoTime } from '../model/iso-time.ts';
import type { KeptInput } from '../model/kept-input.ts';
import type { TextPart } from '../model/text-part.ts';
import type { InputParts } from './build-input.ts';
import type { Call } from './call.ts';
import { requestJson, sessionJson } from './input-members.ts';
import type { InputPlans } from './input-plan.ts';

/** Arguments that are worth being stored once for the call and its result. */
const sharedChars = 160;
const maxBytesPerChar = 3;

/** Members that stand alike in what is evaluated and in what is kept; arguments and result are there where the first has them. */
export interface InputTexts {
  readonly target: string;
  readonly findings: string;
  readonly usage: string;
  readonly approval: string;
  arguments?: string;
  result?: string;
}

/**
 * The input as a release that reads everything would get it, in pieces: what lives longer than a call is a part that is stored once. Joined,
 * the pieces are exactly the text that `buildInput` makes where nothing is left out. `undefined` where it is larger than `maxBytes`.
 */
export function wholeInput(plans: InputPlans, call: Call, parts: InputParts, texts: InputTexts, maxBytes: number): KeptInput | undefined {
  const { whole } = plans;
  const { identity, tool } = call;
  const pieces: (string | TextPart)[] = [];
  const ageS = Math.max(0, Math.floor((parts.atMs - identity.auth.issuedAtMs) / 1000));
  const lasting = plans.partOf(identity, () => {
    const { issuer, subject, client, kind, tenant, groups, scopes, claims, onBehalfOf, auth } = identity;
    const text = JSON.stringify({ issuer, subject, client, kind, tenant, groups, scopes, claims, on_behalf_of: onBehalfOf });
    return `${text.slice(0, -1)},"auth":{"method":"${auth.method}","age_s":`;
  });
  let json = `{"version":1,"phase":"${parts.phase}","at_ns":${parts.atMs}000000,"at":"${isoTime(parts.atMs)}"`;
  json += `,"request":${requestJson(whole, call)},"identity":`;
  pieces.push(json, lasting);
  json = `${ageS}}},"target":${texts.target}`;
  if (tool !== undefined) {
    pieces.push(
      `${json},"tool":`,
      plans.partOf(tool, () => JSON.stringify(tool)),
    );
    json = '';
  }
  if (call.item !== undefined) json += `,"item":${JSON.stringify(call.item)}`;
  if (parts.phase !== 'list') {
    const given = texts.arguments ?? JSON.stringify(call.subject);
    if (given.length < sharedChars) json += `,"arguments":${given}`;
    else {
      pieces.push(`${json},"arguments":`, plans.partOfCall(call.subject, given));
      json = '';
    }
  }
  json += `,"findings":${texts.findings},"history":[`;
  json = `${parts.history.entriesInto(pieces, json)}]`;
  json += `,"session":${sessionJson(whole, call, parts.history)},"usage":${texts.usage},"approval":${texts.approval}`;
  if (parts.result !== undefined) json += `,"result":${texts.result ?? JSON.stringify(parts.result)}`;
  if (parts.listJson !== undefined) {
    pieces.push(`${json},"${parts.listJson.key}":`, plans.partOfText(parts.listJson.json));
    json = '';
  }
  pieces.push(`${json},"environment":`, plans.partOfText(parts.environmentJson), '}');
  return isWithin(pieces, maxBytes) ? { entry: parts.entry, pieces } : undefined;
}

function isWithin(pieces: KeptInput['pieces'], maxBytes: number): boolean {
  let chars = 0;
  for (const piece of pieces) chars += typeof piece === 'string' ? piece.length : piece.text.length;
  if (chars * maxBytesPerChar <= maxBytes) return true;
  if (chars > maxBytes) return false;
  let bytes = 0;
  for (const piece of pieces) bytes += Buffer.byteLength(typeof piece === 'string' ? piece : piece.text);
  return bytes <= maxBytes;
}
