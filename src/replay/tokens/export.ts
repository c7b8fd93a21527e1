import { parseStrict } from '../../model/strict-json.ts';
import type { Entrypoint, PolicyAnswer } from '../../model/decision.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Evaluation, ListAnswer } from '../../model/ports.ts';
import type { RecordedDecision, RecordedDecisions, RecordedFilter } from '../../model/recorded.ts';
import type { ExportHead } from '../recorded-file.ts';
import { difference, faultVerdict, recordedVerdict, verdictOf, type Verdict } from '../verdict.ts';
import { tokenisedInput, tokenisedRecord } from './tokenised.ts';
import { Tokeniser } from './tokeniser.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Asks the release in force. */
export type Ask = (entry: Entrypoint, inputJson: string) => Promise<Evaluation<PolicyAnswer | ListAnswer>>;

export interface ExportOptions {
  readonly recorded: RecordedDecisions;
  readonly filter: RecordedFilter;
  readonly ask: Ask;
  readonly vocabulary: Vocabulary;
  /** What tokens are made with; secret. */
  readonly key: Uint8Array;
  readonly head: Pick<ExportHead, 'made_at' | 'release' | 'history_window_ms'>;
  readonly write: (line: string) => Promise<void>;
}

/** What an export has, and what it has not. */
export interface ExportReport {
  readonly decisions: number;
  /** With their input as tokens. */
  readonly served: number;
  /** Left out because the release in force decides otherwise on tokens, by the rules that then speak or fall silent. */
  readonly unserved: number;
  readonly unserved_rules: readonly { readonly rule: string; readonly count: number }[];
  /** Their input is masked or gone. */
  readonly without_input: number;
}

/** Decisions that are worked on at once. */
const atOnce = 32;
const limits = { maxBytes: 64 * 1_048_576, maxDepth: 256 };

/**
 * Writes an export that holds no secrets: each input with tokens for its values, checked by asking the release in force about the input and about
 * its tokens. Where the answers differ in effect or rules, the input is left out and the rules are told.
 */
export async function exportForReplay(options: ExportOptions): Promise<ExportReport> {
  const { recorded, filter, vocabulary, key, head, write } = options;
  const tokens = new Tokeniser(vocabulary, key);
  const report = { decisions: 0, served: 0, unserved: 0, without_input: 0 };
  const rules = new Map<string, number>();
  await write(
    JSON.stringify({
      castellan_replay_export: 1,
      ...head,
      tokenised: true,
      vocabulary: { literals: [...vocabulary.literals].sort(), numbers: vocabulary.numbers },
    } satisfies ExportHead),
  );
  const finish = async (work: readonly Promise<Exported>[]): Promise<void> => {
    for (const { one, outcome, rules: unserved } of await Promise.all(work)) {
      report.decisions++;
      report[outcome]++;
      for (const rule of unserved) rules.set(rule, (rules.get(rule) ?? 0) + 1);
      await write(JSON.stringify(one));
    }
  };
  let work: Promise<Exported>[] = [];
  for await (const one of recorded.read(filter)) {
    work.push(exported(one, tokens, options.ask));
    if (work.length < atOnce) continue;
    await finish(work);
    work = [];
  }
  await finish(work);
  const ranked = [...rules].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([rule, count]) => ({ rule, count }));
  return { ...report, unserved_rules: ranked };
}

interface Exported {
  readonly one: RecordedDecision;
  readonly outcome: 'served' | 'unserved' | 'without_input';
  readonly rules: readonly string[];
}

async function exported(one: RecordedDecision, tokens: Tokeniser, ask: Ask): Promise<Exported> {
  const { seq, entry, input } = one;
  const record = tokenisedRecord(one.record, tokens);
  if (input.state !== 'kept') {
    const left = input.state === 'masked' ? ({ state: 'masked', json: '{}', pointers: [] } as const) : input;
    return { one: { seq, record, entry, input: left }, outcome: 'without_input', rules: [] };
  }
  const json = JSON.stringify(tokenisedInput(parseStrict(input.json, limits) as JsonObject, tokens));
  const [before, after] = await Promise.all([ask(entry, input.json), ask(entry, json)]);
  const [was, now] = [said(before), said(after)];
  const differing = differingRules(was, now);
  if (differing.length > 0) {
    const absent = { state: 'absent', why: 'not_kept' } as const;
    return { one: { seq, record, entry, input: absent }, outcome: 'unserved', rules: differing };
  }
  return { one: { seq, record: likeAnswer(one, record, was, after), entry, input: { state: 'kept', json } }, outcome: 'served', rules: [] };
}

function said(evaluation: Evaluation<PolicyAnswer | ListAnswer>): Verdict {
  return evaluation.ok ? verdictOf(evaluation.answer) : faultVerdict(evaluation.fault, evaluation.rule);
}

/** Rules that speak on one of the two and not on the other; the pointers that they redact and the keys that they count are tokens, and differ. */
function differingRules(was: Verdict, now: Verdict): readonly string[] {
  const only = (a: readonly string[], b: readonly string[]): string[] => a.filter((rule) => !b.includes(rule));
  const rules = [...only(was.rules, now.rules), ...only(now.rules, was.rules)];
  if (rules.length > 0) return rules;
  const same =
    was.effect === now.effect &&
    was.visible === now.visible &&
    was.redactions.length === now.redactions.length &&
    was.limits.length === now.limits.length &&
    was.labels.join('\n') === now.labels.join('\n');
  return same ? [] : [...new Set([...was.rules, ...now.rules, ...(was.rules.length + now.rules.length === 0 ? ['(no rule)'] : [])])];
}

/** Where the release in force says what was recorded, the record says it with the tokens that the same release gives. */
function likeAnswer(
  { record: original, entry }: RecordedDecision,
  record: RecordedDecision['record'],
  was: Verdict,
  after: Evaluation<PolicyAnswer | ListAnswer>,
): RecordedDecision['record'] {
  const recorded = original.decision === undefined ? undefined : recordedVerdict(entry, original.decision);
  const sameAsThen = recorded !== undefined && difference(recorded, was) === undefined;
  if (!sameAsThen || record.decision === undefined || !after.ok || !('redactions' in after.answer)) return record;
  const { redactions, limits: counted } = after.answer;
  const { redactions: _, limits: __, ...decision } = record.decision;
  return {
    ...record,
    decision: {
      ...decision,
      ...(redactions.length === 0 ? {} : { redactions }),
      ...(counted.length === 0 ? {} : { limits: counted }),
    },
  };
}
