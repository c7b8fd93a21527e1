const millis = Array.from({ length: 1_000 }, (_, number) => `${String(number).padStart(3, '0')}Z`);
/** Before the year 10000 the text has 24 characters. */
const endMs = 253_402_300_800_000;

let second = NaN;
let upToSecond = '';

/**
 * What `new Date(ms).toISOString()` gives; a call needs it five times, and all but the milliseconds is the same for a second.
 * @throws RangeError for no time
 */
export function isoTime(ms: number): string {
  if (!(ms >= 0 && ms < endMs && Number.isInteger(ms))) return new Date(ms).toISOString();
  const milli = ms % 1_000;
  if (ms - milli !== second) {
    second = ms - milli;
    upToSecond = new Date(second).toISOString().slice(0, -4);
  }
  return upToSecond + (millis[milli] as string);
}
