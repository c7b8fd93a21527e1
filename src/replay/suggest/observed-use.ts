import { parseStrict } from '../../model/strict-json.ts';
import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import type { RecordedDecisions, RecordedFilter } from '../../model/recorded.ts';
import { strings, useOf, wasSent } from '../traffic-classes.ts';

/** What one tool, prompt or resource was used for. */
export interface Usage {
  readonly kind: 'tool' | 'prompt' | 'resource';
  readonly server: string;
  readonly name: string;
  readonly count: number;
  /** Who, by issuer and subject, with the groups that they had. */
  readonly people: ReadonlyMap<string, Person>;
  /** Values of arguments at the top, by name; only of tools. */
  readonly values: ReadonlyMap<string, ObservedValues>;
}

export interface Person {
  readonly issuer: string;
  readonly subject: string;
  readonly groups: readonly string[];
}

/** The values that one argument had. */
export interface ObservedValues {
  /** Calls in which it was there. */
  readonly count: number;
  /** JSON of a value to who sent it and how often; nothing once there are too many. */
  readonly values: ReadonlyMap<string, { readonly count: number; readonly people: ReadonlySet<string> }> | undefined;
  /** The longest common beginning of all values, where all are texts. */
  readonly common: string | undefined;
}

export interface Observed {
  readonly usages: readonly Usage[];
  /** Calls that went on and say what was needed. */
  readonly calls: number;
  /** Of those, calls that only went on because they were observed. */
  readonly wouldHaveFailed: number;
  /** Calls that did not go on: nothing is granted for them. */
  readonly refused: number;
  readonly withoutInput: number;
  readonly firstAt: string | undefined;
  readonly lastAt: string | undefined;
  /** All groups of each person that was seen, whatever was used. */
  readonly groups: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Different values of one argument that are told apart. */
const maxValues = 64;
const maxValueChars = 200;
const granted = new Set(['tool', 'prompt', 'resource']);
const limits = { maxDepth: 256 };

interface Gathering {
  readonly kind: Usage['kind'];
  readonly server: string;
  readonly name: string;
  count: number;
  readonly people: Map<string, Person>;
  readonly values: Map<string, GatheredValues>;
}

interface GatheredValues {
  count: number;
  values: Map<string, { count: number; people: Set<string> }> | undefined;
  common: string | undefined;
}

/** Reads what recorded calls that went on have used. @throws GatewayError what the reader throws */
export async function readUse(recorded: RecordedDecisions, filter: RecordedFilter): Promise<Observed> {
  const usages = new Map<string, Gathering>();
  const groups = new Map<string, Set<string>>();
  const counts = { calls: 0, wouldHaveFailed: 0, refused: 0, withoutInput: 0 };
  let [firstAt, lastAt]: (string | undefined)[] = [];
  for await (const one of recorded.read({ ...filter, entries: ['gateway/call'] })) {
    firstAt ??= one.record.at;
    lastAt = one.record.at;
    if (one.input.state === 'absent') {
      counts.withoutInput++;
      continue;
    }
    const input = parseStrict(one.input.json, limits) as JsonObject;
    const use = useOf(one, input);
    if (use === undefined || !granted.has(use.kind)) continue;
    const person = personOf(input);
    for (const group of person.groups) groups.set(group, (groups.get(group) ?? new Set()).add(keyOf(person)));
    if (!wasSent(one)) {
      counts.refused++;
      continue;
    }
    counts.calls++;
    if (one.record.decision?.enforced === false && one.record.decision.effect === 'deny') counts.wouldHaveFailed++;
    const key = JSON.stringify([use.kind, use.server, use.name]);
    let usage = usages.get(key);
    if (usage === undefined) {
      usage = { kind: use.kind as Usage['kind'], server: use.server, name: use.name, count: 0, people: new Map(), values: new Map() };
      usages.set(key, usage);
    }
    usage.count++;
    usage.people.set(keyOf(person), person);
    // A value that the mask changed is not the value that was sent.
    if (use.kind === 'tool' && one.input.state === 'kept' && isJsonObject(input['arguments']))
      gather(usage, input['arguments'], keyOf(person));
  }
  return { usages: [...usages.values()], ...counts, firstAt, lastAt, groups };
}

/** Who a person is. */
export function keyOf({ issuer, subject }: Pick<Person, 'issuer' | 'subject'>): string {
  return JSON.stringify([issuer, subject]);
}

function personOf(input: JsonObject): Person {
  const identity = isJsonObject(input['identity']) ? input['identity'] : {};
  const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
  return { issuer: text(identity['issuer']), subject: text(identity['subject']), groups: strings(identity['groups']) };
}

function gather(usage: Gathering, args: JsonObject, person: string): void {
  for (const [name, value] of Object.entries(args)) {
    if (value === undefined) continue;
    let known = usage.values.get(name);
    if (known === undefined) {
      known = { count: 0, values: new Map(), common: typeof value === 'string' ? value : undefined };
      usage.values.set(name, known);
    }
    known.count++;
    known.common = typeof value === 'string' && known.common !== undefined ? commonStart(known.common, value) : undefined;
    const isScalar = value === null || typeof value !== 'object';
    const json = JSON.stringify(value);
    if (!isScalar || json.length > maxValueChars) known.values = undefined;
    const values = known.values;
    if (values === undefined) continue;
    const found = values.get(json) ?? { count: 0, people: new Set<string>() };
    values.set(json, found);
    found.count++;
    found.people.add(person);
    if (values.size > maxValues) known.values = undefined;
  }
}

function commonStart(a: string, b: string): string {
  let end = 0;
  while (end < a.length && a[end] === b[end]) end++;
  return a.slice(0, end);
}
