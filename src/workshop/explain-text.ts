import type { DefinitionOutcome } from './explain-trace.ts';
import type { Explanation, SetExplanation } from './explain.ts';

/** The explanation for people. `folder` is put before the names of files, as one would type them. */
export function explanationText(explanation: Explanation, folder: string): string {
  const { decision, fired, silent, entrypoint } = explanation;
  const lines = [`${entrypoint}: ${effectOf(decision)}`, ...reasonLines(decision)];
  lines.push('', fired.length === 0 ? 'no rule fired' : 'fired');
  for (const set of fired) lines.push(...firedLines(set, folder));
  if (silent.length > 0) lines.push('', 'did not fire, and the first expression that was false');
  for (const set of silent) lines.push(...silentLines(set, folder));
  return lines.join('\n');
}

function effectOf(decision: unknown): string {
  const effect = (decision as { effect?: unknown } | null)?.effect;
  return typeof effect === 'string' ? effect : 'no answer (the gateway denies)';
}

function reasonLines(decision: unknown): string[] {
  const { reasons = [], dry_run: watched = [] } = (decision ?? {}) as { reasons?: readonly Reason[]; dry_run?: readonly Reason[] };
  return [
    ...reasons.map(({ rule, effect, message }) => `  ${effect}  ${rule}  ${message}`),
    ...watched.map(
      ({ rule, effect, message, enforcement }) => `  ${enforcement ?? 'dry_run'}, not enforced: ${effect}  ${rule}  ${message}`,
    ),
  ];
}

interface Reason {
  readonly rule: string;
  readonly effect: string;
  readonly message: string;
  readonly enforcement?: string;
}

function firedLines({ rule, set, members, definitions }: SetExplanation, folder: string): string[] {
  const places = definitions.filter(({ fired }) => fired).map((one) => place(one, folder));
  return [`  ${rule}  ${set}  ${places.join(', ')}`, ...members.map((member) => `      ${JSON.stringify(member)}`)];
}

function silentLines({ rule, set, definitions }: SetExplanation, folder: string): string[] {
  return definitions.flatMap((definition) => [
    `  ${rule}  ${set}  ${place(definition, folder)}`,
    ...failedLines(definition, folder, '      '),
  ]);
}

function failedLines({ failed, fired }: DefinitionOutcome, folder: string, indent: string): string[] {
  if (fired) return [`${indent}it holds`];
  if (failed === undefined) return [`${indent}it was not asked`];
  const [first = '', ...more] = failed.text.split('\n');
  const lines = [`${indent}${place(failed, folder)}  ${first}${more.length > 0 ? ' …' : ''}`];
  for (const [name, value] of Object.entries(failed.values)) lines.push(`${indent}  ${name.replace(/\s+/g, ' ')} is ${value}`);
  // What a helper gave stands among the values; that it holds matters only to what must not.
  for (const helper of failed.because.filter((one) => !one.fired || failed.text.startsWith('not '))) {
    lines.push(`${indent}  ${helper.path}  ${place(helper, folder)}`, ...failedLines(helper, folder, `${indent}    `));
  }
  return lines;
}

function place({ file, row }: { readonly file: string; readonly row: number }, folder: string): string {
  return `${folder === '' ? '' : `${folder}/`}${file}:${row}`;
}
