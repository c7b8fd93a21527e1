import type { PolicyConfig } from '../config/schema-types.ts';
import { openBuildCache } from '../release/build-cache.ts';
import { readPolicy } from '../release/read-policy.ts';
import { Narrowing } from '../workshop/narrowing.ts';
import { policyPlace, type Compiler } from './policy.ts';

/**
 * Narrowed lists over the configured policy: what its folder has come to hold since a release was made is no proof about it, and a bundle
 * that brings its module without its Rego says nothing that could be looked into. Answers are kept beside the compiled releases, so that
 * a start that finds both needs no compiler.
 */
export function openNarrowing(
  config: PolicyConfig,
  compiler: Compiler,
  onError: (error: unknown) => void,
  onNarrowed: () => void,
): Narrowing {
  const cache = openBuildCache(config.cache_dir);
  return new Narrowing({
    withRego: (work) => compiler.use(work),
    filesOf: async (release) => {
      const source = await readPolicy(policyPlace(config));
      return source.digest === release.digest && source.bundle?.wasm === undefined ? source.files : undefined;
    },
    outlive: { read: (digest) => cache.readBounds(digest), write: (digest, json) => cache.writeBounds(digest, json) },
    onError,
    onNarrowed,
  });
}
