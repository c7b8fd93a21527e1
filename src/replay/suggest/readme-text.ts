import { headline, leftOut } from '../report-words.ts';
import type { ReplayReport } from '../report.ts';
import { boundRules } from './argument-bounds.ts';
import type { Observed } from './observed-use.ts';
import type { Suggestion } from './suggestion.ts';

/** What goes with a suggestion: what was seen, what was not, and what to look at before it is merged. */
export function suggestionReadme(
  observed: Observed,
  suggestion: Suggestion,
  report: ReplayReport,
  changedCases: readonly string[],
): string {
  const { usages, calls, wouldHaveFailed, refused, withoutInput, firstAt, lastAt } = observed;
  const groups = Object.entries(suggestion.grants.groups).map(([group, servers]) => `- ${code(group)}: ${counted(servers)}`);
  const people = Object.values(suggestion.grants.subjects).flatMap((subjects) => Object.keys(subjects));
  const bounds = Object.entries(suggestion.bounds).flatMap(([server, tools]) =>
    Object.entries(tools).flatMap(([tool, args]) =>
      Object.entries(args).map(([name, bound]) => {
        const words =
          'one_of' in bound
            ? `one of ${bound.one_of.map((value) => code(JSON.stringify(value))).join(', ')}`
            : `begins with ${code(bound.begins)}`;
        return `- ${code(`${server}/${tool}`)}, ${code(name)}: ${words}`;
      }),
    ),
  );
  const part = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : ['', title, '', ...lines]);
  return [
    '# Least privilege, as observed',
    '',
    `Made by \`castellan policy suggest\` from ${calls} calls that went on, ${day(firstAt)} to ${day(lastAt)}: ${usages.length} tools, prompts and resources.`,
    'A beginning, not an end: read it, change it, and let the people who own the servers read it.',
    '',
    '- `policies/rules/observed/` allows what was used and refuses every other tool, prompt and resource; `policies/observed/data.json` says what that is.',
    '- `policy-tests/rules/observed/` tests it: `opa test policies policy-tests` in this folder, and in the repository once it is merged.',
    '- `replay.html`, `replay.json`: what the policy in force together with this would have decided on the same traffic.',
    ...part('## Replay', [`${headline(report)}.`, ...leftOut(report).map((line) => `- ${line}`)]),
    ...(report.kinds.newly_denied === 0
      ? ['', 'Nothing that went on would be denied.']
      : ['', `**${report.kinds.newly_denied} calls that went on would be denied**: see \`replay.html\` before this is merged.`]),
    ...(report.kinds.newly_allowed === 0
      ? []
      : [
          '',
          `${report.kinds.newly_allowed} calls that policy denied would be allowed: a grant is to a group, and its other members get it too, or the call was only observed.`,
        ]),
    ...part('## Grants', groups),
    ...part(
      '## People without a group',
      people.length === 0 ? [] : [`${people.length} are granted by name. Give them a group, and the group the grant.`],
    ),
    ...part('## Bounds on arguments', bounds),
    ...part('## What this does not know', [
      `- What happens less often than once in this window: a yearly task, an emergency. It will be refused.`,
      ...(wouldHaveFailed === 0
        ? []
        : [`- ${wouldHaveFailed} calls went on only because their endpoint observes. They count as needed here: make sure that they are.`]),
      ...(refused === 0 ? [] : [`- ${refused} calls were refused or held. Nothing is granted for them.`]),
      ...(withoutInput === 0 ? [] : [`- ${withoutInput} calls whose input is gone. What only they used is not granted.`]),
      `- Arguments are bounded only where at least ${boundRules.minCalls} calls of ${boundRules.minPeople} people had at most ${boundRules.maxValues} values, each ${boundRules.minEach} times and by ${boundRules.minPeopleEach} people, or one folder. Numbers have no range: how far one may go is not in the traffic.`,
      '- An attack that was in the traffic is in this policy.',
    ]),
    ...part(
      '## Golden cases that answer otherwise',
      changedCases.length === 0
        ? []
        : [
            'These cases of the repository use what nobody used. Change what they expect, or grant it:',
            '',
            ...changedCases.slice(0, 100).map((name) => `- ${name}`),
            ...(changedCases.length > 100 ? [`- … and ${changedCases.length - 100} more`] : []),
          ],
    ),
    '',
  ].join('\n');
}

function counted(servers: Suggestion['grants']['groups'][string]): string {
  return Object.entries(servers)
    .map(([server, { tools = {}, prompts = {}, resources = [] }]) => {
      const parts = [
        [Object.keys(tools).length, 'tools'],
        [Object.keys(prompts).length, 'prompts'],
        [resources.length, 'resources'],
      ].filter(([count]) => count !== 0);
      return `${parts.map(([count, what]) => `${count} ${what}`).join(', ')} of ${code(server)}`;
    })
    .join('; ');
}

/** A name of somebody else's as Markdown shows it: nothing in it ends the code. */
function code(text: string): string {
  return `\`${text.replace(/[`\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')}\``;
}

function day(at: string | undefined): string {
  return at?.slice(0, 10) ?? 'never';
}
