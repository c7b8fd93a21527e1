import type { Entrypoint } from '../model/decision.ts';
import type { Question } from './faithful.ts';

/** Partial evaluation and analysis, as `Opa` of `src/rego` has them. */
export interface PartialTools {
  analyse(query: { readonly files: Readonly<Record<string, string>>; readonly entrypoints: readonly string[] }): Promise<{
    readonly entrypoints: Readonly<Record<string, { readonly reads: readonly (readonly string[])[] | null }>>;
  }>;
  partial(query: {
    readonly files: Readonly<Record<string, string>>;
    readonly bundle: boolean;
    readonly unknowns: readonly string[];
    readonly cases: readonly { readonly input: string; readonly queries: readonly string[] }[];
  }): Promise<
    readonly (readonly { readonly outcome: string; readonly residual?: readonly { readonly expressions?: readonly string[] }[] }[])[]
  >;
}

/** The entrypoints that what was recorded is put to. */
const judging: readonly Entrypoint[] = ['gateway/call', 'gateway/result', 'gateway/message', 'gateway/list'];

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
  if (await combiningReads(opa, files)) return questions.map(() => false);
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

/** Whether Rego outside the rules can read history or labels past them. Without the rules only that is left of the program. */
async function combiningReads(opa: PartialTools, files: Readonly<Record<string, string>>): Promise<boolean> {
  const combining = Object.fromEntries(Object.entries(files).filter(([, text]) => !/^package\s+rules\b/m.test(text)));
  const { entrypoints } = await opa.analyse({ files: combining, entrypoints: judging });
  return Object.values(entrypoints).some(
    ({ reads }) =>
      reads?.every(
        ([first, second]) => first !== undefined && first !== 'history' && !(first === 'session' && (second ?? 'labels') === 'labels'),
      ) !== true,
  );
}
