import { entrypoints } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import type { PolicySource } from './policy-source.ts';
import type { BuiltRelease } from './release-ports.ts';

/**
 * A bundle's own module as a release. What it reads of the input is not known, so it is given everything; whether it has each entrypoint, and
 * asks for nothing that is not served, shows when it is brought up and tried.
 * @throws GatewayError `policy.invalid` when its data cannot be read
 */
export async function prebuiltRelease(
  source: PolicySource,
  wasm: Uint8Array<ArrayBuffer>,
  readData: ((source: PolicySource) => Promise<string>) | undefined,
): Promise<BuiltRelease> {
  const listed = source.bundle?.entrypoints ?? [];
  // A bundle without `mask` is complete: nothing is masked then.
  const entries = entrypoints.filter((entry) => entry !== 'gateway/mask' || listed.includes(entry));
  return {
    wasm,
    data: await dataOf(source, readData),
    entrypoints: Object.fromEntries(entries.map((entry) => [entry, { reads: null }])),
  };
}

async function dataOf(source: PolicySource, readData: ((source: PolicySource) => Promise<string>) | undefined): Promise<string> {
  const { files } = source;
  const names = Object.keys(files);
  const whole = files['data.json'];
  if (names.length === 0) return '{}';
  if (names.length > 1 || whole === undefined) {
    if (readData === undefined) throw refused('has data in other files than `data.json`');
    return readData(source);
  }
  try {
    const data: unknown = JSON.parse(whole);
    if (typeof data === 'object' && data !== null && !Array.isArray(data)) return whole;
  } catch {
    // Said below, as for any other text that is no object.
  }
  throw refused('has a `data.json` that is no JSON object');
}

function refused(why: string): GatewayError {
  return new GatewayError('policy.invalid', `the bundle ${why}; build it with \`opa build\``);
}
