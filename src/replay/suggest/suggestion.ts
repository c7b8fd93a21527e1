import { argumentBounds, type ArgumentBounds } from './argument-bounds.ts';
import { leastGrants, type LeastGrants } from './least-grants.ts';
import type { Observed } from './observed-use.ts';
import { accessRule, argumentsRule } from './rules-text.ts';
import { accessTests, argumentsTests } from './tests-text.ts';

/** The least that the observed traffic needs, as files of a policy repository. */
export interface Suggestion {
  /** Under the policy folder: Rego and data. */
  readonly policy: Readonly<Record<string, string>>;
  /** Under the folder of tests. */
  readonly tests: Readonly<Record<string, string>>;
  readonly grants: LeastGrants;
  readonly bounds: ArgumentBounds;
}

/** Formats Rego as `opa fmt` does. */
export type Format = (files: Readonly<Record<string, string>>) => Promise<readonly { readonly file: string; readonly text?: string }[]>;

/** Turns what was used into rules, data and tests. Pure but for formatting: the same traffic gives the same files. */
export async function suggestPolicy(observed: Observed, format: Format): Promise<Suggestion> {
  const grants = leastGrants(observed);
  const bounds = argumentBounds(observed);
  const withBounds = Object.keys(bounds).length > 0;
  const data = { groups: grants.groups, subjects: grants.subjects, ...(withBounds ? { arguments: bounds } : {}) };
  const rego = {
    'rules/observed/access.rego': accessRule,
    ...(withBounds ? { 'rules/observed/arguments.rego': argumentsRule } : {}),
  };
  const tests = {
    'rules/observed/access_test.rego': accessTests(observed),
    ...(withBounds ? { 'rules/observed/arguments_test.rego': argumentsTests(bounds) } : {}),
  };
  return {
    policy: { ...(await formatted(rego, format)), 'observed/data.json': `${JSON.stringify(data, null, 2)}\n` },
    tests: await formatted(tests, format),
    grants,
    bounds,
  };
}

async function formatted(files: Readonly<Record<string, string>>, format: Format): Promise<Readonly<Record<string, string>>> {
  const done = await format(files);
  return { ...files, ...Object.fromEntries(done.flatMap(({ file, text }) => (text === undefined ? [] : [[file, text]]))) };
}
