import { GatewayError } from '../model/errors.ts';
import type { SqlValue } from '../model/ports.ts';

const maxInt64 = 2n ** 63n - 1n;

/**
 * Refuses what one of the engines would store otherwise than it was given: a NUL (PostgreSQL has none in text), half a surrogate pair
 * (not UTF-8), a fraction, an integer beyond 64 bits.
 * @throws GatewayError `request.invalid` for text, since text comes from outside; TypeError for numbers, which are our own
 */
export function checkValues(params: readonly SqlValue[]): void {
  for (const value of params) {
    if (typeof value === 'string') {
      if (value.includes('\0') || !value.isWellFormed())
        throw new GatewayError('request.invalid', 'text with a NUL character or half of a surrogate pair cannot be stored; remove it');
    } else if (typeof value === 'number') {
      if (!Number.isSafeInteger(value)) throw new TypeError(`\`${value}\` cannot be stored: numbers are whole; beyond 2^53 use bigint`);
    } else if (typeof value === 'bigint' && (value > maxInt64 || value < -maxInt64 - 1n)) {
      throw new TypeError(`\`${value}\` cannot be stored: integers have 64 bits`);
    }
  }
}

/** A 64-bit integer as a number where that is exact, else as a bigint. */
export function fromInt64(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
