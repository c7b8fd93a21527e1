import type { RecordedDecision, RecordedDecisions, RecordedFilter } from '../model/recorded.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';

/** One kind of decision: the same question asked by the same role in the same way, and how it was answered. */
export interface TrafficClass {
  readonly entry: RecordedDecision['entry'];
  readonly inputJson: string;
  readonly count: number;
}

/** What recorded traffic was like, in a bounded form. */
export interface Traffic {
  readonly decisions: number;
  /** Decisions whose input is masked or gone. */
  readonly withoutInput: number;
  /** The most frequent first; at most as many as asked for. */
  readonly classes: readonly TrafficClass[];
  /** How many there are in all, as far as they were told apart. */
  readonly allClasses: number;
  /** Rules that spoke, with how often: those behind an effect, and those that would have been. */
  readonly spoke: ReadonlyMap<string, number>;
  /** `server/name` of each tool that was called, with how often. */
  readonly tools: ReadonlyMap<string, number>;
  /** Who used what, each once, with how often. */
  readonly uses: readonly Use[];
}

/** Something that members of the same groups may have been granted, and used. */
export interface Use {
  readonly groups: readonly string[];
  readonly kind: string;
  readonly server: string;
  readonly name: string;
  readonly count: number;
}

const maxKnown = 50_000;

/** Reads what is on record once, and keeps one input of each class. @throws GatewayError what the reader throws */
export async function readTraffic(recorded: RecordedDecisions, filter: RecordedFilter, maxClasses: number): Promise<Traffic> {
  const classes = new Map<string, { entry: RecordedDecision['entry']; inputJson: string; count: number }>();
  const spoke = new Map<string, number>();
  const tools = new Map<string, number>();
  const uses = new Map<string, Use>();
  let decisions = 0;
  let withoutInput = 0;
  for await (const one of recorded.read(filter)) {
    decisions++;
    for (const rule of rulesOf(one)) add(spoke, rule);
    if (one.input.state !== 'kept') {
      withoutInput++;
      continue;
    }
    const input = JSON.parse(one.input.json) as JsonObject;
    const use = useOf(one, input);
    if (use !== undefined) {
      if (use.kind === 'tool') add(tools, `${use.server}/${use.name}`);
      const key = JSON.stringify([use.groups, use.kind, use.server, use.name]);
      if (wasSent(one)) uses.set(key, { ...use, count: (uses.get(key)?.count ?? 0) + 1 });
    }
    const key = classKey(one, input);
    const known = classes.get(key);
    if (known !== undefined) known.count++;
    else if (classes.size < maxKnown) classes.set(key, { entry: one.entry, inputJson: one.input.json, count: 1 });
  }
  const ranked = [...classes.values()].sort((a, b) => b.count - a.count);
  return {
    decisions,
    withoutInput,
    classes: ranked.slice(0, maxClasses),
    allClasses: classes.size,
    spoke,
    tools,
    uses: [...uses.values()],
  };
}

/** Whether the call went on: policy let it, or it was only observed. */
export function wasSent({ record, entry }: RecordedDecision): boolean {
  const { decision } = record;
  return (
    entry === 'gateway/call' &&
    decision !== undefined &&
    (decision.effect === 'allow' || decision.effect === 'redact' || decision.enforced === false)
  );
}

/** What a call used of a server, where it is about one. */
export function useOf({ entry }: RecordedDecision, input: JsonObject): Omit<Use, 'count'> | undefined {
  const [target, identity] = [input['target'], input['identity']];
  if (entry !== 'gateway/call' || !isJsonObject(target) || !isJsonObject(identity)) return undefined;
  const { kind, server, name } = target;
  if (typeof kind !== 'string' || typeof server !== 'string' || typeof name !== 'string') return undefined;
  return { groups: strings(identity['groups']).sort(), kind, server, name };
}

/** The strings of a JSON array. */
export function strings(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item: Json) => typeof item === 'string') : [];
}

function rulesOf({ record: { decision } }: RecordedDecision): ReadonlySet<string> {
  const { reasons = [], dry_run: watched = [], redactions = [], limits = [] } = decision ?? {};
  return new Set([...reasons, ...watched, ...redactions, ...limits].map(({ rule }) => rule));
}

function classKey({ entry, record }: RecordedDecision, input: JsonObject): string {
  const { identity, target, tool, arguments: args, session, findings, request } = input;
  const member = (value: Json | undefined, key: string): Json => (isJsonObject(value) ? (value[key] ?? null) : null);
  const found = Array.isArray(findings) ? findings.map((one: Json) => member(one, 'detector')) : [];
  const decision = record.decision;
  return JSON.stringify([
    entry,
    member(request, 'method'),
    strings(member(identity, 'groups')).sort(),
    member(target, 'server'),
    member(target, 'kind'),
    member(target, 'kind') === 'resource' ? '' : member(target, 'name'),
    member(tool, 'labels'),
    shapeOf(args ?? null),
    member(session, 'labels'),
    [...new Set(found)].sort(),
    decision?.effect ?? '',
    [...new Set(decision?.reasons.map(({ rule }) => rule) ?? [])].sort(),
  ]);
}

/** Keys and types, one level deep. */
function shapeOf(value: Json): string {
  if (!isJsonObject(value)) return typeof value;
  return Object.keys(value)
    .sort()
    .map((key) => `${key}:${Array.isArray(value[key]) ? 'array' : typeof value[key]}`)
    .join(',');
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
