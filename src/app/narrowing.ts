import type { PolicyConfig } from '../config/schema-types.ts';
import { readPolicySource } from '../release/policy-source.ts';
import { Narrowing } from '../workshop/narrowing.ts';
import type { Compiler } from './policy.ts';

/** Narrowed lists over the configured policy folder: what the folder has come to hold since a release was made is no proof about it. */
export function openNarrowing(config: PolicyConfig, compiler: Compiler, onError: (error: unknown) => void): Narrowing {
  return new Narrowing({
    withRego: (work) => compiler.use(work),
    filesOf: async (release) => {
      const source = await readPolicySource(config.path, undefined);
      return source.digest === release.digest ? source.files : undefined;
    },
    onError,
  });
}
