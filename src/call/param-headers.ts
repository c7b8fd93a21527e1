import { GatewayError } from '../model/errors.ts';
import { isJsonObject, valueAt, type Json, type JsonObject } from '../model/json.ts';
import type { ExposedTool } from '../upstream/endpoint.ts';
import { paramHeadersOf, plainHeader, type ParamHeader } from '../upstream/mirrored-headers.ts';

/** What a tool wants repeated in headers, kept as long as the catalogue's entry. */
const wantedKept = new WeakMap<ExposedTool, readonly ParamHeader[]>();
const none: readonly ParamHeader[] = [];

/**
 * Holds the `mcp-param-*` headers of a request against the arguments that policy will see: something on the way may have gone by the headers.
 * @param headers names in lower case, as they came
 * @throws GatewayError `http.header_mismatch`
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#server-behavior-for-custom-headers
 */
export function checkParamHeaders(tool: ExposedTool, given: JsonObject, headers: Readonly<Record<string, string>>): void {
  for (const { header, path } of wantedOf(tool)) {
    const name = header.toLowerCase();
    const said = headers[name];
    const value = valueAt(given, path);
    if (value === undefined || value === null) {
      if (said !== undefined) throw mismatch(`\`${name}\` repeats \`${path.join('.')}\`, which the arguments do not have`);
      continue;
    }
    if (said === undefined) throw mismatch(`\`${name}\` is missing: it repeats \`${path.join('.')}\``);
    if (!agrees(decodeHeader(said), value)) throw mismatch(`\`${name}\` does not agree with \`${path.join('.')}\``);
  }
}

/** A header value as it was before it was encoded; `undefined` where it is not one that a client may send. */
export function decodeHeader(value: string): string | undefined {
  if (!value.startsWith('=?base64?') || !value.endsWith('?=') || value.length < 11) return plainHeader.test(value) ? value : undefined;
  const encoded = value.slice(9, -2);
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Not UTF-8: it cannot agree with anything.
    return undefined;
  }
}

function agrees(said: string | undefined, value: Json): boolean {
  if (said === undefined) return false;
  if (typeof value === 'string') return said === value;
  if (typeof value === 'boolean') return said === String(value);
  return typeof value === 'number' && Number.isSafeInteger(value) && /^-?\d{1,16}(?:\.0+)?$/.test(said) && Number(said) === value;
}

function wantedOf(tool: ExposedTool): readonly ParamHeader[] {
  let wanted = wantedKept.get(tool);
  if (wanted === undefined) {
    const schema = tool.definition['inputSchema'];
    try {
      wanted = isJsonObject(schema) ? paramHeadersOf(schema) : none;
    } catch {
      // Clients leave a tool out whose annotations break the rules, and know of no header for it.
      wanted = none;
    }
    wantedKept.set(tool, wanted);
  }
  return wanted;
}

function mismatch(words: string): GatewayError {
  return new GatewayError('http.header_mismatch', words);
}
