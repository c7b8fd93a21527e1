import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keptOf, replayBuiltins } from '../../src/app/candidate.ts';
import type { PolicyEngine } from '../../src/model/ports.ts';
import { createPolicyEngine } from '../../src/policy/pool.ts';
import { Opa } from '../../src/rego/opa.ts';
import { entrypointsOf, readPolicySource } from '../../src/release/policy-source.ts';
import type { ReplayRelease } from '../../src/replay/replay.ts';

export type Files = Readonly<Record<string, string>>;
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The data document of the policies that ship, as far as tests change it. */
export interface ShippedData {
  readonly grants: Readonly<Record<string, unknown>>;
  readonly limits: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

/** The policies that ship, with files laid over them and data changed. */
export async function shippedFiles(over: Files = {}, data: (shipped: ShippedData) => unknown = (same) => same): Promise<Files> {
  const { files } = await readPolicySource(join(root, 'policies'), undefined);
  const shipped = JSON.parse(files['data.json'] ?? '{}') as ShippedData;
  return { ...files, ...over, 'data.json': JSON.stringify(data(shipped)) };
}

/** Compiles releases; one for a test file. */
export class Releases {
  readonly opa = new Opa();

  async of(files: Files, name = 'candidate'): Promise<ReplayRelease> {
    const built = await this.opa.build({ files, entrypoints: entrypointsOf({ files }) });
    return {
      name,
      digest: `sha256:${name}`,
      module: await WebAssembly.compile(built.wasm),
      dataJson: built.data,
      reads: new Map(Object.entries(built.entrypoints).map(([entry, { reads }]) => [entry, keptOf(reads, true)])),
    };
  }

  engine({ module, dataJson }: ReplayRelease): Promise<PolicyEngine> {
    return createPolicyEngine({ module, dataJson, builtins: replayBuiltins(), spares: 0 });
  }

  async close(): Promise<void> {
    await this.opa.close();
  }
}
