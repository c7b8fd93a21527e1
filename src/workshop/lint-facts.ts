import { entrypoints } from '../model/decision.ts';
import type { OpaTools, PolicyRepository, ProgramFacts } from './ports.ts';

/** The document that the lints read, one for a repository. */
export interface LintFacts {
  readonly folders: { readonly policy: string; readonly tests: string };
  /** OPA's syntax tree of each policy file; every node has `at: [row, column]` in place of its location, comments are `[row, text]`. */
  readonly modules: Readonly<Record<string, unknown>>;
  /** Package of tests, dotted, to its number of `test_` rules. */
  readonly tests: Readonly<Record<string, number>>;
  readonly unreached: ProgramFacts['unreached'];
  readonly residues: readonly Residue[];
  readonly schema: unknown;
  /** Keys at the top of the data files. */
  readonly data_roots: readonly string[];
}

interface Residue {
  /** Dotted: `rules.billing.large_refund`. */
  readonly package: string;
  readonly set: string;
  readonly outcome: string;
  readonly fragments: readonly unknown[];
}

const isTest = (name: string): boolean => name.endsWith('_test.rego');

/** Gathers the facts: a parse of each file, an analysis and one partial evaluation. The files must compile. */
export async function gatherLintFacts(opa: OpaTools, repository: PolicyRepository): Promise<LintFacts> {
  const { policyFolder, testsFolder, schemas } = repository;
  const shown = shownFiles(repository);
  const analysis = await opa.analyse({ files: shown, paths: [policyFolder], ignore: ['*_test.rego'], entrypoints });
  const modules: Record<string, unknown> = {};
  const tests: Record<string, number> = {};
  for (const [name, text] of Object.entries(repository.files)) {
    const file = `${policyFolder}/${name}`;
    if (isTest(name)) countTests(tests, await opa.parse(file, text));
    else if (name.endsWith('.rego')) modules[file] = slim(await opa.parse(file, text, { locations: true }));
  }
  for (const [name, text] of Object.entries(repository.tests))
    if (name.endsWith('.rego')) countTests(tests, await opa.parse(`${testsFolder}/${name}`, text));
  const roots = Object.keys(JSON.parse(analysis.data) as Record<string, unknown>);
  return {
    folders: { policy: policyFolder, tests: testsFolder },
    modules,
    tests,
    unreached: analysis.unreached,
    residues: await residuesOf(opa, shown, policyFolder, analysis, roots),
    data_roots: roots,
    schema: schemas['input.json'] === undefined ? {} : JSON.parse(schemas['input.json']),
  };
}

function shownFiles({ policyFolder, files }: PolicyRepository): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [`${policyFolder}/${name}`, text]));
}

/** What remains of each set of each rule when nothing is known of the input and of data: what is gone then, is never there. */
async function residuesOf(
  opa: OpaTools,
  files: Readonly<Record<string, string>>,
  policyFolder: string,
  { packages }: ProgramFacts,
  roots: readonly string[],
): Promise<Residue[]> {
  const sets = packages
    .filter(({ path }) => /^rules\/[^/]+\/[^/]+$/.test(path))
    .flatMap(({ path, rules }) =>
      rules.filter(({ kind }) => kind === 'set').map(({ name }) => ({ package: path.replaceAll('/', '.'), set: name })),
    )
    .filter(({ set }) => !set.startsWith('_'));
  const [residues = []] = await opa.partial({
    files,
    paths: [policyFolder],
    bundle: true,
    ignore: ['*_test.rego'],
    unknowns: ['input', ...roots.map((key) => `data[${JSON.stringify(key)}]`)],
    cases: [{ queries: sets.map(({ package: name, set }) => `data.${name}.${set}[_]`) }],
    ast: true,
  });
  return sets.map((set, index) => ({
    ...set,
    outcome: residues[index]?.outcome ?? 'error',
    fragments: (residues[index]?.residual ?? []).map(({ ast }) => ast),
  }));
}

interface Node {
  readonly location?: { readonly row: number; readonly col: number };
  readonly comments?: readonly { readonly Text: string; readonly Location: { readonly row: number } }[];
}

/** The tree without what lints do not read: a location is nine tenths of a node otherwise. */
function slim(tree: unknown): unknown {
  if (Array.isArray(tree)) return tree.map(slim);
  if (typeof tree !== 'object' || tree === null) return tree;
  const { location, comments, ...rest } = tree as Node & Record<string, unknown>;
  return {
    ...Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, slim(value)])),
    ...(location === undefined ? {} : { at: [location.row, location.col] }),
    ...(comments === undefined
      ? {}
      : { comments: comments.map(({ Text, Location }) => [Location.row, Buffer.from(Text, 'base64').toString()]) }),
  };
}

/** Adds the number of `test_` rules of a parsed module to its package. */
export function countTests(tests: Record<string, number>, module: unknown): void {
  const { package: at, rules = [] } = module as {
    readonly package: { readonly path: readonly { readonly value: string }[] };
    readonly rules?: readonly { readonly head: { readonly ref?: readonly { readonly value: string }[]; readonly name?: string } }[];
  };
  const name = at.path
    .slice(1)
    .map(({ value }) => value)
    .join('.');
  const found = rules.filter(({ head }) => (head.name ?? head.ref?.[0]?.value ?? '').startsWith('test_')).length;
  tests[name] = (tests[name] ?? 0) + found;
}
