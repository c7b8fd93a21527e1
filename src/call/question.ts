import { digestJson } from '../model/digest.ts';
import type { Digest } from '../model/ids.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { Call } from './call.ts';

/** A question of an upstream's, as long as its answer is waited for. */
export interface Asked {
  readonly method: string;
  /** Of what is asked. */
  readonly digest: Digest;
  /** What is asked; left out where it is long. */
  readonly params?: JsonObject;
}

/** The call in whose course something was asked. */
export type Within = Pick<Call, 'method' | 'target' | 'subjectDigest'>;

/** What an answer answers. An approval of the answer holds for this question in this call, and for no other. */
export interface Question {
  readonly asked: Asked;
  /** Absent where it came outside of any call. */
  readonly within?: Within | undefined;
}

/** Questions up to this are kept whole, so that people who approve an answer see what it answers. */
const maxKeptChars = 4_096;

/** A question without what only names this one time of asking: the same question asked again is the same. */
export function askedOf(method: string, params: JsonObject | undefined): Asked {
  const { _meta: _marks, elicitationId: _id, task: _terms, ...words } = params ?? {};
  const digest = digestJson({ method, params: words });
  return JSON.stringify(words).length > maxKeptChars ? { method, digest } : { method, digest, params: words };
}

/** What an approval of an answer is bound to beside the answer. */
export function questionBinding({ asked, within }: Question): Json {
  if (within === undefined) return { asked: asked.digest };
  const { method, target, subjectDigest } = within;
  return { asked: asked.digest, method, server: target.server, name: target.name, arguments: subjectDigest };
}
