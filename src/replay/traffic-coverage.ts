import type { Traffic } from './traffic-classes.ts';
import { unusedGrants, type UnusedGrant } from './unused-grants.ts';

/** OPA's interpreter, as far as coverage needs it. */
export interface CoverageTools {
  test(query: {
    readonly files: Readonly<Record<string, string>>;
    readonly data: string;
    readonly coverage: boolean;
    readonly timeoutMs: number;
  }): Promise<{
    readonly exit_code: number;
    readonly text: string;
    readonly coverage?: {
      readonly coverage: number;
      readonly files: Readonly<Record<string, { readonly covered?: readonly Range[]; readonly not_covered?: readonly Range[] }>>;
    };
  }>;
  eval(query: {
    readonly files: Readonly<Record<string, string>>;
    readonly data: string;
    readonly query: string;
  }): Promise<{ readonly result: string }>;
}

interface Range {
  readonly start: { readonly row: number };
  readonly end: { readonly row: number };
}

/** One rule of the policy, as its catalogue has it. */
export interface KnownRule {
  /** `topic/rule`. */
  readonly rule: string;
  readonly title?: string;
  readonly sets: readonly string[];
  readonly file: string;
}

export interface TrafficCoverage {
  readonly decisions: number;
  readonly without_input: number;
  /** Decisions told apart, and how many of them were evaluated for lines. */
  readonly classes: number;
  readonly evaluated: number;
  /** Rules that spoke on no call. */
  readonly silent_rules: readonly {
    readonly rule: string;
    readonly title?: string;
    readonly sets: readonly string[];
    readonly file: string;
  }[];
  readonly spoke: readonly { readonly rule: string; readonly count: number }[];
  readonly lines: { readonly covered: number; readonly not_covered: number; readonly percent: number };
  /** Lines that no evaluated call touched, by file. */
  readonly untouched: readonly { readonly file: string; readonly rows: readonly (readonly [number, number])[] }[];
  /** Tools that were called and that neither a rule nor the data names. */
  readonly unnamed_tools: readonly { readonly tool: string; readonly calls: number }[];
  readonly unused_grants: readonly UnusedGrant[];
}

const timeoutMs = 300_000;
const runner = 'castellan_traffic_test.rego';

/** Asks each entrypoint what was asked of it, so that coverage sees every line that the traffic reached. */
const runnerText = `package castellan_traffic_test

test_traffic if {
	count([1 | some one in data.castellan_traffic; _asked(one)]) >= 0
}

_asked(one) if {
	one.entry == "gateway/call"
	_ = data.gateway.call with input as one.input
}

_asked(one) if {
	one.entry == "gateway/result"
	_ = data.gateway.result with input as one.input
}

_asked(one) if {
	one.entry == "gateway/message"
	_ = data.gateway.message with input as one.input
}

_asked(one) if {
	one.entry == "gateway/list"
	_ = data.gateway.list with input as one.input
}
`;

const sets = ['allow', 'deny', 'require_approval', 'redact', 'label', 'limit'];

const spokeQuery = `x := {id |
	some one in data.castellan_traffic
	some topic, rule
	some set in ${JSON.stringify(sets)}
	some _ in data.rules[topic][rule][set] with input as one.input
	id := concat("/", [topic, rule])
}`;

/**
 * Which rules and lines the traffic touched, which tools are used that nothing names, which grants nobody used. A rule spoke where the record says
 * so, or where OPA's interpreter finds a member of one of its sets on one of the classes of inputs; lines are those of the interpreter.
 * @throws GatewayError from OPA
 */
export async function trafficCoverage(
  opa: CoverageTools,
  policy: {
    readonly files: Readonly<Record<string, string>>;
    readonly rules: readonly KnownRule[];
    readonly literals: ReadonlySet<string>;
    readonly data: unknown;
  },
  traffic: Traffic,
): Promise<TrafficCoverage> {
  const { files, rules, literals, data } = policy;
  const inputs = `{"castellan_traffic":[${traffic.classes.map(({ entry, inputJson }) => `{"entry":"${entry}","input":${inputJson}}`).join(',')}]}`;
  const tested = await opa.test({ files: { ...files, [runner]: runnerText }, data: inputs, coverage: true, timeoutMs });
  const { result } = await opa.eval({ files, data: inputs, query: spokeQuery });
  const [first] = JSON.parse(result) as readonly { readonly bindings?: { readonly x?: readonly string[] } }[];
  const spoke = new Set([...(first?.bindings?.x ?? []), ...traffic.spoke.keys()]);
  const untouched = Object.entries(tested.coverage?.files ?? {})
    .filter(([file]) => file !== runner)
    .map(([file, { covered = [], not_covered: not = [] }]) => ({ file, covered: rowsIn(covered), not: rowsIn(not), ranges: not }));
  const [hit, missed] = [untouched.reduce((sum, { covered }) => sum + covered, 0), untouched.reduce((sum, { not }) => sum + not, 0)];
  return {
    decisions: traffic.decisions,
    without_input: traffic.withoutInput,
    classes: traffic.allClasses,
    evaluated: traffic.classes.length,
    silent_rules: rules.filter(({ rule }) => !spoke.has(rule)),
    spoke: [...traffic.spoke].sort((a, b) => b[1] - a[1]).map(([rule, count]) => ({ rule, count })),
    lines: { covered: hit, not_covered: missed, percent: hit + missed === 0 ? 0 : Math.round((hit / (hit + missed)) * 1000) / 10 },
    untouched: untouched
      .filter(({ not }) => not > 0)
      .map(({ file, ranges }) => ({ file, rows: ranges.map(({ start, end }) => [start.row, end.row] as const) })),
    unnamed_tools: [...traffic.tools]
      .filter(([tool]) => !literals.has(tool.slice(tool.indexOf('/') + 1)))
      .sort((a, b) => b[1] - a[1])
      .map(([tool, calls]) => ({ tool, calls })),
    unused_grants: unusedGrants(data, traffic.uses),
  };
}

function rowsIn(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end.row - start.row + 1, 0);
}
