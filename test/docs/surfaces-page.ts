import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { methodTable, type MethodRule } from '../../src/call/methods.ts';
import { root } from './markdown.ts';

/** Shipped rules by the kind of target and by who sends; beside them `protocol/housekeeping`, where `data.protocol` names the method. */
const rules: Readonly<Record<string, readonly string[]>> = {
  'tool call': ['access/tool_grant', 'access/read_only', 'approval/destructive', 'tools/unpinned'],
  'tool result': ['secrets/redact', 'privacy/mask_results', 'links/known_places'],
  'resource call': ['access/resource_grant'],
  'prompt call': ['access/prompt_grant'],
  'completion call': ['access/prompt_grant'],
  'task call': ['tasks/grant_kept'],
  'sampling message': ['messages/server_requests'],
  'elicitation message': ['messages/server_requests', 'messages/secret_questions', 'messages/url_questions'],
  'roots message': ['messages/server_requests'],
  'logging message': ['secrets/redact'],
};

const eras: Readonly<Record<MethodRule['era'], string>> = {
  session: 'sessions',
  stateless: '2026-07-28',
  both: 'both',
};

/** What the gateway takes from a server for itself: nothing of it is handed on, so policy is not asked. */
const keptForItself: readonly (readonly [method: string, era: string, what: string])[] = [
  ['notifications/tools/list_changed', 'both', 'the lists are read again; agents are told by the gateway'],
  ['notifications/resources/list_changed', 'both', 'the same'],
  ['notifications/prompts/list_changed', 'both', 'the same'],
  ['notifications/subscriptions/acknowledged', '2026-07-28', 'the beginning of a stream that the gateway asked for'],
  ['ping', 'sessions', 'answered at once'],
];

interface Row {
  readonly method: string;
  readonly rule: MethodRule;
  readonly from: 'agent' | 'upstream';
}

/** Every rule that the page names; a test holds that each is there. */
export function namedRules(): string[] {
  return [...new Set(Object.values(rules).flat())];
}

/** `docs/reference/surfaces.md`, from the table of methods and the shipped data. */
export function surfacesPage(): string {
  const rows = Object.entries(methodTable).flatMap(([method, rule]): Row[] =>
    rule.from === 'either'
      ? [
          { method, rule, from: 'agent' },
          { method, rule, from: 'upstream' },
        ]
      : [{ method, rule, from: rule.from }],
  );
  // A server's ping is answered by the gateway; see below.
  const shown = rows.filter(({ method, from }) => !(method === 'ping' && from === 'upstream'));
  return `<!-- Made by \`node test/docs/generate.ts\` from src/call/methods.ts and policies/data.json; edit those, or the words in test/docs/surfaces-page.ts. -->

# Every surface: what policy is asked about

Each message that an agent or a server sends is one of these, or unknown; each is judged and recorded before anything of it goes on. "Sessions" are the revisions 2025-03-26 to 2025-11-25. \`target.kind\` and
\`request.method\` are what rules tell them apart by; [the input](policy-input.md) has the rest. Where no rule allows, the default holds.

## From agents

| method | era | phases | \`target.kind\` | default | shipped rules |
|---|---|---|---|---|---|
${shown
  .filter(({ from }) => from === 'agent')
  .map(line)
  .join('\n')}
| any other | both | call | \`unknown\`; \`task\` where it begins with \`tasks/\` | deny, then unknown method | – |

## From servers

| method | era | phases | \`target.kind\` | default | shipped rules |
|---|---|---|---|---|---|
${shown
  .filter(({ from }) => from === 'upstream')
  .map(line)
  .join('\n')}
| any other notification | both | message | \`unknown\` | deny | – |
| any other request | sessions | message | \`unknown\` | deny; the server is told so | – |
| any request | 2026-07-28 | message | – | refused: that era has none | – |

The agent's answer to a question is a message of the agent's: phase \`call\`, with the question's method and kind.

## Within other messages

| what | era | phase | \`target.kind\` | default | shipped rules |
|---|---|---|---|---|---|
| links and whole resources in a result (\`input.result.content\`) | both | result | of the call | as the result | \`links/known_places\` |
| \`inputRequests\` of a result or a task | 2026-07-28 | message | of each question | deny; the call ends | ${named('elicitation message')} |
| \`inputResponses\` of a repeated call or \`tasks/update\` | 2026-07-28 | call | of each question | deny; nothing is sent | \`protocol/housekeeping\` does not cover them: allow them as the question |
| what a task ends with | both | result | \`tool\` | as the call's own result | ${named('tool result')} |
| instructions of servers in the answer to \`initialize\` and \`server/discover\` | both | list | \`tool\`, \`prompt\`, \`resource\` | left out where no list shows anything of the server | as the lists |
| each URI of \`subscriptions/listen\` | 2026-07-28 | call | \`resource\`, as \`resources/subscribe\` | deny; it is not followed | \`access/resource_grant\` |

## What the gateway keeps for itself

| from servers | era | what becomes of it |
|---|---|---|
${keptForItself.map(([method, era, what]) => `| \`${method}\` | ${era} | ${what} |`).join('\n')}

An unknown method is answered as one only once policy allowed it, so that a refusal tells nothing; 2026-07-28 wants it told apart, and there it is.

## What nobody takes

A message of a server's that belongs to no call and no session goes nowhere, and policy is not asked: progress under a token that no call has, an answer that nobody waits for or a second one, a request of a server of
2026-07-28 or during a request of the gateway's own, words on a connection of the gateway's own, the news of a resource that nobody subscribed to, questions of a task that no client
answers. A program that all agents share sends much without saying for whom: that is taken for the one call that is in flight, but for words within five seconds of another agent's call. Each leaves a \`refused\` record with the code
\`message.unplaced\`, phase \`message\`, the server, the method and why. Of one server 100 at once and 10 a minute have a record of their own; the rest is counted, and one record a minute says how many. \`castellan_refusals_total\` counts all.
`;
}

function line({ method, rule, from }: Row): string {
  const isList = rule.route === 'list';
  const phase = from === 'upstream' ? 'message' : isList ? 'list' : 'call';
  const phases = from === 'agent' && rule.route === 'one' ? 'call, result' : phase;
  const fallback = isList ? 'nothing is listed' : 'deny';
  const found = [
    ...(isHousekeeping(from === 'upstream' ? 'message' : 'call', method) ? ['protocol/housekeeping'] : []),
    ...(isList && rule.kind !== 'task' ? (rules[`${rule.kind} call`] ?? []) : (rules[`${rule.kind} ${phase}`] ?? [])),
    ...(method === 'tools/call' ? (rules['tool result'] ?? []) : []),
  ];
  const shown = found.length === 0 ? '–' : found.map((name) => `\`${name}\``).join(', ');
  return `| \`${method}\` | ${eras[rule.era]} | ${phases} | \`${rule.kind}\` | ${fallback} | ${shown} |`;
}

function named(key: string): string {
  return (rules[key] ?? []).map((name) => `\`${name}\``).join(', ');
}

function isHousekeeping(phase: 'call' | 'message', method: string): boolean {
  const data = JSON.parse(readFileSync(join(root, 'policies', 'data.json'), 'utf8')) as {
    protocol: Record<'call' | 'message', Record<string, boolean>>;
  };
  return data.protocol[phase][method] === true;
}

/** Whether a rule is among those that are shipped. */
export function isShipped(rule: string): boolean {
  return existsSync(join(root, 'policies', 'rules', `${rule}.rego`));
}
