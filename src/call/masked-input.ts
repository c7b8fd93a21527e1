import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { Redaction } from '../model/decision.ts';
import { parseStrict } from '../model/strict-json.ts';
import type { InputDocument } from './build-input.ts';
import type { Parts } from './parts.ts';

// What was built here is no deeper than what was let in, and a few levels around it.
const maxDepth = 1_000;

/**
 * The input with what policy's mask left of it to keep. Where the mask cannot be asked, or what it asks for cannot be done without leaving a
 * copy behind, nothing is kept: the decision is recorded all the same, and says so.
 */
export async function maskedInput(parts: Pick<Parts, 'content' | 'observer' | 'settings'>, input: InputDocument): Promise<InputDocument> {
  const { kept, mask } = input;
  if (kept === undefined || mask === undefined) return input;
  const evaluation = await mask.release.engine.evaluate('gateway/mask', mask.json, parts.settings().decisionDeadlineMs);
  if (!evaluation.ok) {
    parts.observer.fault(evaluation.fault, mask.release.id, evaluation.rule);
    return dropped(input);
  }
  const { redactions, drop } = evaluation.answer;
  if (drop === true) return dropped(input);
  if (redactions.length === 0) return input;
  try {
    const text = kept.pieces.map((piece) => (typeof piece === 'string' ? piece : piece.text)).join('');
    const whole = parseStrict(Buffer.from(text), { maxDepth });
    if (!isJsonObject(whole)) return dropped(input);
    const { document, pointers } = parts.content().redact(
      whole,
      redactions.flatMap((one) => withinMembers(one, whole)),
    );
    if (pointers.length === 0) return input;
    return { ...input, kept: { entry: kept.entry, pieces: [JSON.stringify(document)], masked: pointers }, state: 'masked' };
  } catch (error) {
    parts.observer.failed('', error);
    return dropped(input);
  }
}

/**
 * A pointer to a whole member of the input, or to all of them, means everything in it: the redactor does not take whole members away. A
 * member that is no container (the version, the phase, the time) stays.
 */
function withinMembers(redaction: Redaction, whole: JsonObject): Redaction[] {
  const { pointer } = redaction;
  if (pointer === undefined || pointer.lastIndexOf('/') > 0) return [redaction];
  const names = pointer === '/*' ? Object.keys(whole) : [pointer.slice(1)];
  return names.flatMap((name) => {
    const member: Json | undefined = whole[name];
    return isJsonObject(member) || Array.isArray(member) ? [{ ...redaction, pointer: `/${name}/*` }] : [];
  });
}

function dropped(input: InputDocument): InputDocument {
  const { kept: _kept, mask: _mask, ...rest } = input;
  return { ...rest, state: 'dropped' };
}
