import { unknownsBut } from './input-members.ts';
import type { BuiltRelease, PartialEvaluation } from './release-ports.ts';
import type { KeptProofs } from './result-proof.ts';

const entry = 'gateway/mask';
/** The rule that has to be there: true where the mask has anything to say about an input. */
const rule = 'mask_matters';
/** What is known is that no detector found anything. */
const unknowns = unknownsBut(['version', 'findings']);

/**
 * Finds out whether `gateway/mask` can say anything about inputs in which nothing was found, by partial evaluation of
 * `data.gateway.mask_matters` with everything else unknown: only the outcome *never* counts as proof. Until it is made, and for a release
 * without that rule or without files, the mask is asked. A release without a mask has nothing to say.
 */
export function maskMattersBy(
  built: BuiltRelease,
  files: Readonly<Record<string, string>> | undefined,
  partial: PartialEvaluation | undefined,
  kept: KeptProofs,
): (hasFindings: boolean) => boolean {
  if (!Object.hasOwn(built.entrypoints, entry)) return () => false;
  const hasRule = built.packages?.some(({ path, rules }) => path === 'gateway' && rules.some(({ name }) => name === rule)) === true;
  if (!hasRule || files === undefined || partial === undefined) return () => true;
  let isSilent: boolean | undefined;

  const prove = async (): Promise<void> => {
    // What cannot be read is proved again.
    const proofs: Readonly<Record<string, boolean>> = await kept.read().catch(() => ({}));
    const known = proofs[entry];
    if (known !== undefined) {
      isSilent = known;
      return;
    }
    try {
      const residues = await partial({
        files,
        bundle: true,
        unknowns,
        cases: [{ input: '{"version":1,"findings":[]}', queries: [`data.gateway.${rule}`] }],
      });
      isSilent = residues[0]?.[0]?.outcome === 'never';
      await kept.write({ ...(await kept.read().catch(() => ({}))), [entry]: isSilent });
    } catch {
      isSilent ??= false; // no proof: the mask goes on being asked, which is always right
    }
  };

  let isAsked = false;
  return (hasFindings) => {
    if (hasFindings || isSilent === false) return true;
    if (isSilent === true) return false;
    if (!isAsked) setImmediate(() => void prove());
    isAsked = true;
    return true;
  };
}
