import { createDetectors } from '../../src/content/detect.ts';
import { createRedactor } from '../../src/content/redact.ts';
import type { Redaction } from '../../src/model/decision.ts';
import type { JsonObject } from '../../src/model/json.ts';

export const detectors = createDetectors({
  secrets: true,
  personalData: ['email', 'card', 'ssn', 'iban'],
  hiddenText: true,
  maxScanBytes: 4_000_000,
});
export const redactor = createRedactor({ detectors, hashKey: Buffer.alloc(32, 7) });
export const rule = 'test/rule';

/** A redaction of a place. */
export function at(pointer: string, as: Redaction['as'] = 'mask', text?: string): Redaction {
  return { rule, pointer, as, ...(text === undefined ? {} : { with: text }) };
}

/** A redaction of what a detector finds. */
export function by(detector: string, as: Redaction['as'] = 'mask', text?: string): Redaction {
  return { rule, detector, as, ...(text === undefined ? {} : { with: text }) };
}

export function apply(document: JsonObject, ...redactions: Redaction[]): JsonObject {
  return redactor.redact(document, redactions).document;
}
