import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createPolicyEngine } from '../../src/policy/pool.ts';
import { Opa, describeFaults, RegoError } from '../../src/rego/opa.ts';
import { testProgram } from '../../src/release/policy-source.ts';
import { createReleaseManager } from '../../src/release/release-manager.ts';
import type { ReleaseEvent, ReleaseManager, ReleaseManagerOptions } from '../../src/release/release-ports.ts';

/** A policy folder in a scratch place, and release managers over it, joined to the real compiler and engine as the gateway joins them. */
export class Workshop {
  readonly root: string;
  readonly events: ReleaseEvent[] = [];
  builds = 0;
  readonly #opa: Opa;
  readonly #managers: ReleaseManager[] = [];

  constructor(root: string, opa: Opa) {
    this.root = root;
    this.#opa = opa;
  }

  static async open(opa: Opa, files: Readonly<Record<string, string>>): Promise<Workshop> {
    const workshop = new Workshop(await mkdtemp(join(tmpdir(), 'castellan-release-')), opa);
    await workshop.write(files);
    return workshop;
  }

  get policies(): string {
    return join(this.root, 'policies');
  }

  async write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(this.root, name)), { recursive: true });
      await writeFile(join(this.root, name), text);
    }
  }

  async manager(options: Partial<ReleaseManagerOptions> = {}): Promise<ReleaseManager> {
    const manager = await createReleaseManager({
      source: { kind: 'folder', path: this.policies },
      build: async (source, entrypoints) => {
        this.builds++;
        try {
          return await this.#opa.build({ files: source.files, entrypoints });
        } catch (thrown) {
          throw thrown instanceof RegoError && thrown.faults.length > 0 ? new Error(describeFaults(thrown.faults)) : thrown;
        }
      },
      test: async (source) => {
        const { exit_code: exitCode, text } = await this.#opa.test(testProgram(source));
        return exitCode === 0 ? undefined : text;
      },
      partial: async (query) => this.#opa.partial(query),
      createEngine: async (module, dataJson) => createPolicyEngine({ module, dataJson }),
      onEvent: (event) => this.events.push(event),
      recheckMs: 60_000,
      ...options,
    });
    this.#managers.push(manager);
    return manager;
  }

  async close(): Promise<void> {
    await Promise.all(this.#managers.map(async (manager) => manager.close()));
    await rm(this.root, { recursive: true, force: true });
  }
}

/** A whole gateway package whose decisions say `message`. */
export const policy = (message: string): string => `package gateway

call := {
	"version": 1,
	"effect": "allow",
	"reasons": [{"rule": "test/test", "effect": "allow", "message": "${message}"}],
	"redactions": [],
	"approval": null,
	"labels": [],
	"limits": [],
	"dry_run": [],
}

result := call

message := call

list := {"version": 1, "visible": []}
`;

/** What a manager's release answers now. */
export async function answer(manager: ReleaseManager): Promise<string> {
  const given = await manager.current()?.engine.evaluate('gateway/call', '{}', 1_000);
  if (given === undefined) return 'no release';
  return given.ok ? (given.answer.reasons[0]?.message ?? '') : `${given.fault}: ${given.message}`;
}
