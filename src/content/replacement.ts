import { createHmac } from 'node:crypto';
import type { Redaction } from '../model/decision.ts';
import { canonical } from '../model/digest.ts';
import type { Json } from '../model/json.ts';
import type { Needles } from './needles.ts';

/** What stands in the place of a value: a text, or `undefined` where the value is dropped. */
export type Replace = (redaction: Redaction, value: Json, detector?: string) => string | undefined;

/** Shorter than any text that is erased, so it can hold none. */
const shortMask = '***';

/** The mask that holds none of the texts that must go. */
export function safeMask(gone: Needles): string {
  return gone.occurIn('[redacted]') ? shortMask : '[redacted]';
}

/**
 * Replacements that give nothing away: the one that a redaction asks for, or the mask where that one would itself spell a value that goes.
 * @param hashKey secret of this instance: equal values have equal hashes here, and nobody can try values without the key
 */
export function createReplace(gone: Needles, mask: string, hashKey: Uint8Array): Replace {
  return (redaction, value, detector) => {
    const wanted = wantedText(redaction, value, detector, hashKey);
    return wanted !== undefined && gone.occurIn(wanted) ? mask : wanted;
  };

  function wantedText({ as, with: text }: Redaction, value: Json, detector: string | undefined, key: Uint8Array): string | undefined {
    if (as === 'drop') return undefined;
    if (as === 'replace') return text ?? mask;
    if (as === 'mask') return detector === undefined ? mask : `[redacted:${detector}]`;
    const content = typeof value === 'string' ? value : canonical(value);
    return `sha256:${createHmac('sha256', key).update(content).digest('hex').slice(0, 16)}`;
  }
}
