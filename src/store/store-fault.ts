import { GatewayError } from '../model/errors.ts';

/** How long a caller waits for the database before it is told that there is none. */
export const storeDeadlineMs = 1_900;

/** The database cannot be asked now: it is away, full, locked by another, or too slow. Whether the statement took effect is unknown. */
export function unavailable(message: string, cause?: unknown): GatewayError {
  return new GatewayError('store.unavailable', message, cause === undefined ? {} : { cause });
}

/** True for a fault that goes away without a change of the program: the caller may try again. */
export function isUnavailable(thrown: unknown): boolean {
  return thrown instanceof GatewayError && thrown.code === 'store.unavailable';
}
