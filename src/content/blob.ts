import { isUtf8 } from 'node:buffer';
import type { JsonObject } from '../model/json.ts';

/** Members of an object that hold base64: a resource's `blob`, and the `data` of an image or of sound, which have a media type beside. */
export function blobKeys(object: JsonObject): readonly string[] {
  const keys: string[] = [];
  if (typeof object['blob'] === 'string') keys.push('blob');
  if (typeof object['data'] === 'string' && typeof object['mimeType'] === 'string') keys.push('data');
  return keys;
}

/**
 * The text that base64 holds, or `undefined` where it holds none: what counts is what the bytes are, since the media type beside them is
 * only what the sender says.
 */
export function textOfBase64(base64: string): string | undefined {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length === 0 || !isUtf8(bytes) || bytes.includes(0)) return undefined;
  return bytes.toString('utf8');
}

/** The text inside a `data:` URI in base64, or `undefined` for any other text. */
export function textOfDataUri(text: string): string | undefined {
  const [, base64] = /^data:[^,]{0,256};base64,(.*)$/is.exec(text) ?? [];
  return base64 === undefined ? undefined : textOfBase64(base64);
}
