import { readdirSync, readFileSync } from 'node:fs';
import { gatherLintFacts } from './lint-facts.ts';
import { readLintSettings, type LintSettings } from './lint-settings.ts';
import type { OpaTools, PolicyRepository } from './ports.ts';

/** One thing that a lint found. */
export interface LintFinding {
  /** Id of the lint, such as `known-sets`. */
  readonly lint: string;
  readonly level: 'error' | 'warning';
  readonly file: string;
  /** From 1. */
  readonly row: number;
  /** In bytes, from 1. */
  readonly col: number;
  readonly message: string;
  /** What to do about it. */
  readonly cure: string;
}

/** What is known of a lint itself, from its METADATA. */
export interface LintAbout {
  readonly lint: string;
  readonly title: string;
  readonly description: string;
  readonly cure: string;
}

export interface LintOptions {
  /** The lint file of the repository, where there is one. */
  readonly settingsFile?: { readonly name: string; readonly text: string } | undefined;
  /** Ids to switch off besides. */
  readonly disable?: readonly string[];
}

/** The lints' own Rego, by file name. */
export function lintSources(): Record<string, string> {
  const folder = new URL('./lints/', import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith('.rego'));
  return Object.fromEntries(names.sort().map((name) => [`lints/${name}`, readFileSync(new URL(name, folder), 'utf8')]));
}

/** Every lint there is, by id. */
export async function listLints(opa: Pick<OpaTools, 'eval'>): Promise<readonly LintAbout[]> {
  const { result } = await opa.eval({ files: lintSources(), query: 'data.castellan.lint.catalogue' });
  return (valueOf(result) as LintAbout[]).sort((a, b) => compare(a.lint, b.lint));
}

/**
 * Runs the lints over a repository that compiles; the findings by file and line.
 * @throws GatewayError `config.invalid` or `request.invalid` for settings that name what is not there, `policy.invalid` where it does not compile
 */
export async function lintPolicies(
  opa: OpaTools,
  repository: PolicyRepository,
  options: LintOptions = {},
): Promise<readonly LintFinding[]> {
  const ids = (await listLints(opa)).map(({ lint }) => lint);
  const settings: LintSettings = await readLintSettings(opa, options.settingsFile, options.disable ?? [], ids);
  const input = JSON.stringify({ ...(await gatherLintFacts(opa, repository)), settings });
  const { result } = await opa.eval({ files: lintSources(), query: 'data.castellan.lint.report', input });
  return (valueOf(result) as LintFinding[])
    .map(({ lint, level, file, row, col, message, cure }) => ({ lint, level, file, row, col, message, cure }))
    .sort((a, b) => compare(a.file, b.file) || a.row - b.row || a.col - b.col || compare(a.lint, b.lint) || compare(a.message, b.message));
}

function valueOf(result: string): unknown {
  const [first] = JSON.parse(result) as readonly { readonly expressions: readonly { readonly value: unknown }[] }[];
  const value = first?.expressions[0]?.value;
  if (value === undefined) throw new Error('the lints gave no answer');
  return value;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
