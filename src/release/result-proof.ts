import { digestText } from '../model/digest.ts';
import type { ToolFacts } from '../model/input.ts';
import { unknownsBut } from './input-members.ts';
import type { BuiltRelease, PartialEvaluation } from './release-ports.ts';

/** Where proofs outlive the process: they hold for as long as the policy and the tool's facts stay the same. */
export interface KeptProofs {
  read(): Promise<Readonly<Record<string, boolean>>>;
  write(proofs: Readonly<Record<string, boolean>>): Promise<void>;
}

/** The rule that has to be there: true where a rule has anything to say about a result. */
const rule = 'result_matters';
/** Everything that differs from call to call. What is known is the tool, and that no detector found anything. */
const unknowns = unknownsBut(['version', 'phase', 'target', 'tool', 'findings']);

/**
 * Finds out for which tools `gateway/result` can only ever pass a result on unchanged, when nothing was found in it. By partial evaluation
 * of `data.gateway.result_matters` with the tool known and the rest unknown: only the outcome *never* counts as proof, and a release without
 * that rule proves nothing. The first call of a tool is evaluated in full; the proof is made behind it.
 */
export function resultMattersBy(
  built: BuiltRelease,
  files: Readonly<Record<string, string>>,
  partial: PartialEvaluation,
  kept: KeptProofs,
): ((tool: ToolFacts, hasFindings: boolean) => boolean) | undefined {
  const hasRule = built.packages?.some(({ path, rules }) => path === 'gateway' && rules.some(({ name }) => name === rule)) === true;
  if (!hasRule) return undefined;
  // By the object itself: facts belong to one snapshot of the catalogue and never change.
  const silent = new WeakMap<ToolFacts, boolean>();
  let asked: ToolFacts[] = [];

  const prove = async (): Promise<void> => {
    const all = asked;
    asked = [];
    // What cannot be read is proved again.
    const proofs: Record<string, boolean> = { ...(await kept.read().catch(() => ({}))) };
    const tools = all.filter((tool) => {
      const known = proofs[digestText(knownOf(tool))];
      if (known !== undefined) silent.set(tool, known);
      return known === undefined;
    });
    if (tools.length === 0) return;
    try {
      const residues = await partial({
        files,
        bundle: true,
        unknowns,
        cases: tools.map((tool) => ({ input: knownOf(tool), queries: [`data.gateway.${rule}`] })),
      });
      tools.forEach((tool, index) => {
        const isSilent = residues[index]?.[0]?.outcome === 'never';
        silent.set(tool, isSilent);
        proofs[digestText(knownOf(tool))] = isSilent;
      });
      await kept.write(proofs);
    } catch {
      // No proof: these tools' results go on being judged, which is always right.
      for (const tool of tools) silent.set(tool, false);
    }
  };

  return (tool, hasFindings) => {
    if (hasFindings) return true;
    const known = silent.get(tool);
    if (known !== undefined) return !known;
    silent.set(tool, false);
    if (asked.push(tool) === 1) setImmediate(() => void prove());
    return true;
  };
}

function knownOf(tool: ToolFacts): string {
  return JSON.stringify({
    version: 1,
    phase: 'result',
    target: { kind: 'tool', server: tool.server, name: tool.name },
    tool,
    findings: [],
  });
}
