import type { Question } from './faithful.ts';

/** Partial evaluation, as `Opa.partial` of `src/rego` does it. */
export interface PartialTools {
  partial(query: {
    readonly files: Readonly<Record<string, string>>;
    readonly bundle: boolean;
    readonly unknowns: readonly string[];
    readonly cases: readonly { readonly input: string; readonly queries: readonly string[] }[];
  }): Promise<
    readonly (readonly { readonly outcome: string; readonly residual?: readonly { readonly expressions?: readonly string[] }[] }[])[]
  >;
}

/** What nobody knows of an input: the two parts that calls before it leave behind. */
const unknowns = ['input.history', 'input.session.labels'];
const atOnce = 50;

/**
 * Which inputs are answered the same whatever their history and labels are: by partial evaluation with both unknown, where each rule set of each
 * rule is decided without them. Nothing is claimed where the rules that combine the sets read either of them themselves.
 * @param sets the steps of each: `rules`, topic, rule, set; all of them
 */
export async function independentOfHistory(
  opa: PartialTools,
  files: Readonly<Record<string, string>>,
  sets: readonly (readonly string[])[],
  questions: readonly Question[],
): Promise<readonly boolean[]> {
  if (combiningReads(files)) return questions.map(() => false);
  const queries = sets.map(
    (steps) => `data${steps.map((step) => (/^[A-Za-z_]\w*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`)).join('')}[_]`,
  );
  const found: boolean[] = [];
  for (let at = 0; at < questions.length; at += atOnce) {
    const cases = questions.slice(at, at + atOnce).map(({ inputJson }) => ({ input: inputJson, queries }));
    for (const residues of await opa.partial({ files, bundle: true, unknowns, cases })) found.push(residues.every(isDecided));
  }
  return found;
}

/** Nothing is left to ask, neither for the set nor for any member beside one that is certain. */
function isDecided({
  outcome,
  residual = [],
}: {
  readonly outcome: string;
  readonly residual?: readonly { readonly expressions?: readonly string[] }[];
}): boolean {
  return outcome === 'never' || (outcome === 'always' && residual.every(({ expressions = [] }) => expressions.length === 0));
}

/** Whether Rego outside the rules could read history or labels past them: by name, or by the whole input. */
function combiningReads(files: Readonly<Record<string, string>>): boolean {
  return Object.entries(files).some(([name, text]) => {
    if (!name.endsWith('.rego') || !/^package\s+gateway\b/m.test(text)) return false;
    const code = text.replace(/^\s*#.*$/gm, '').replace(/"(?:[^"\\]|\\.)*"|`[^`]*`/g, '""');
    return /\binput\s*\.\s*(session|history)\b|\binput\b(?!\s*\.\s*[a-z])/.test(code);
  });
}
