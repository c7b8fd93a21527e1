import { GatewayError } from './errors.ts';
import type { JsonObject } from './json.ts';

const rpcNames: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error']);

/**
 * Refuses a JSON-RPC message with a top-level name that another parser may take for a reserved one: `Params`, `METHOD`, `paramſ`, full-width
 * or invisible characters. Go's `encoding/json`, for one, matches names without regard to case.
 * @param names the reserved names, for callers that guard another object in the same way
 * @throws GatewayError `rpc.invalid`
 */
export function assertRpcKeys(object: JsonObject, names: ReadonlySet<string> = rpcNames): void {
  for (const key of Object.keys(object)) {
    if (names.has(key)) continue;
    const folded = foldName(key);
    if (names.has(folded)) {
      throw new GatewayError('rpc.invalid', `the name \`${printable(key)}\` can be taken for \`${folded}\`; send \`${folded}\``);
    }
  }
}

/**
 * What a lenient parser may take `key` for: lower case, without marks and invisible characters. Upper then lower case joins what has one
 * capital (`ı`, `ſ`, the Kelvin sign).
 */
export function foldName(key: string): string {
  const plain = key.normalize('NFKD').replace(/[\p{M}\p{Default_Ignorable_Code_Point}\p{C}\s]/gu, '');
  return plain.toUpperCase().toLowerCase();
}

function printable(key: string): string {
  return key.replace(/[^\x21-\x7e]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`).slice(0, 40);
}
