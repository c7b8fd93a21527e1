import { cefLine } from './cef.ts';
import { ocsfEvent } from './ocsf.ts';
import type { RecordFormat, SinkProduct, SinkRecord } from './sink.ts';

/** A record in a format: an object, or a line of text for CEF. */
export function formatted(one: SinkRecord, format: RecordFormat, product: SinkProduct): object | string {
  switch (format) {
    case 'castellan':
      return { seq: one.seq, hash: one.hash, record: one.record };
    case 'ocsf':
      return ocsfEvent(one, product);
    case 'cef':
      return cefLine(one, product);
    default:
      return format satisfies never;
  }
}

/** A record as one line. */
export function formattedLine(one: SinkRecord, format: RecordFormat, product: SinkProduct): string {
  const value = formatted(one, format, product);
  return typeof value === 'string' ? value : JSON.stringify(value);
}
