import type { CatalogueEntry } from './catalogue.ts';

const maxInstructionsLength = 16_384;

/** What an endpoint tells models about itself. */
export interface Instructions {
  /** The upstreams whose words are in it; none where they are the configuration's own. */
  readonly from: readonly string[];
  /** Those of the upstreams that `isSeen`; `undefined` where nothing is left. */
  of(isSeen: (upstream: string) => boolean): string | undefined;
}

/** The instructions of upstreams, in their order; where several are given, each under the name of its upstream. */
export function joinInstructions(entries: readonly CatalogueEntry[]): Instructions {
  const given = entries.flatMap(({ name, handshake: { instructions } }) => (instructions === undefined ? [] : [{ name, instructions }]));
  return {
    from: given.map(({ name }) => name),
    of: (isSeen) => {
      const seen = given.filter(({ name }) => isSeen(name));
      if (seen.length === 0) return undefined;
      const joined =
        seen.length === 1 ? seen[0]?.instructions : seen.map(({ name, instructions }) => `${name}: ${instructions}`).join('\n\n');
      return joined?.slice(0, maxInstructionsLength);
    },
  };
}
