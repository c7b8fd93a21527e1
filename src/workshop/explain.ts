import { GatewayError } from '../model/errors.ts';
import { TraceReader, type DefinitionOutcome } from './explain-trace.ts';
import type { RegoFiles, RegoTools } from './rego-tools.ts';

/** What is explained: an input as it was evaluated, and the release that it was put to. A recorded decision is the same two things. */
export interface ExplainQuestion {
  /** The input document, as JSON text: numbers that a double cannot hold keep their digits. */
  readonly inputJson: string;
  readonly files: RegoFiles;
}

/** One rule set: what it says, and how each of its definitions ended. */
export interface SetExplanation {
  /** `topic/rule`. */
  readonly rule: string;
  readonly set: string;
  readonly title?: string;
  /** Its members as JSON values; empty where none fired. */
  readonly members: readonly unknown[];
  readonly definitions: readonly DefinitionOutcome[];
}

export interface Explanation {
  readonly entrypoint: string;
  /** What the entrypoint answers, in OPA's interpreter. */
  readonly decision: unknown;
  readonly fired: readonly SetExplanation[];
  readonly silent: readonly SetExplanation[];
}

/** Which sets count in which phase, by the contract. */
const setsOf: Readonly<Record<string, readonly string[]>> = {
  call: ['deny', 'require_approval', 'redact', 'allow', 'limit', 'label'],
  result: ['deny', 'redact', 'label'],
  message: ['deny', 'require_approval', 'redact', 'allow', 'label'],
};

/**
 * Which rules fired on an input, and for each that did not, the first expression of each of its definitions to be false, with its place and its
 * values. The same input and release give the same explanation: the time is the input's.
 * @throws GatewayError `request.invalid` for what is no input of a call, result or message; `policy.invalid`, `policy.fault` from OPA
 */
export async function explain(rego: RegoTools, { inputJson, files }: ExplainQuestion): Promise<Explanation> {
  const input = parseInput(inputJson);
  const sets = setsOf[input.phase] ?? [];
  const facts = await rego.analyse({ files, entrypoints: [`gateway/${input.phase}`] });
  const asked = facts.packages.flatMap(({ path, rules, annotations }) => {
    const steps = path.split('/');
    if (steps.length !== 3 || steps[0] !== 'rules') return [];
    const title = annotations.find((one) => one.title !== undefined)?.title;
    const here = rules.filter(({ name }) => sets.includes(name)).sort((a, b) => sets.indexOf(a.name) - sets.indexOf(b.name));
    return here.map(({ name }) => ({ rule: steps.slice(1).join('/'), set: name, title, path: `data.${steps.join('.')}.${name}` }));
  });
  const base = { files, bundle: true, input: inputJson, ...(input.nowNs === undefined ? {} : { nowNs: input.nowNs }) };
  const members = asked.map(({ path }) => `[member | member := ${quoted(path)}[_]]`).join(', ');
  const traced = await rego.eval({ ...base, query: `x := [${members}]`, explain: 'full', events: true, allRules: true });
  const decided = await rego.eval({ ...base, query: `x := data.gateway.${input.phase}` });
  const answers = (bound(traced.result) ?? []) as readonly (readonly unknown[])[];
  const reader = new TraceReader(traced.events ?? [], { input: input.value, data: JSON.parse(facts.data) });
  const explained = asked.map(({ rule, set, title, path }, index) => ({
    rule,
    set,
    ...(title === undefined ? {} : { title }),
    members: answers[index] ?? [],
    definitions: reader.outcomes(path),
  }));
  return {
    entrypoint: `gateway/${input.phase}`,
    decision: bound(decided.result) ?? null,
    fired: explained.filter((one) => one.members.length > 0),
    silent: explained.filter((one) => one.members.length === 0),
  };
}

function parseInput(text: string): { readonly phase: string; readonly value: unknown; readonly nowNs: bigint | undefined } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new GatewayError('request.invalid', 'the input is not JSON; give one input document, as policies/schemas/input.json has it', {
      cause,
    });
  }
  const phase = typeof value === 'object' && value !== null ? (value as { phase?: unknown }).phase : undefined;
  if (typeof phase !== 'string' || !Object.hasOwn(setsOf, phase)) {
    const kinds = Object.keys(setsOf).join('`, `');
    throw new GatewayError('request.invalid', `the input has no \`phase\` that can be explained; it must be one of \`${kinds}\``);
  }
  // From the text: a double cannot hold nanoseconds.
  const nanoseconds = /"at_ns"\s*:\s*(\d+)(?=\s*[,}])/.exec(text)?.[1];
  return { phase, value, nowNs: nanoseconds === undefined ? undefined : BigInt(nanoseconds) };
}

function quoted(path: string): string {
  const [root = '', ...steps] = path.split('.');
  return root + steps.map((step) => (/^[A-Za-z_]\w*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`)).join('');
}

function bound(result: string): unknown {
  const rows = JSON.parse(result) as readonly { readonly bindings?: { readonly x?: unknown } }[];
  return rows[0]?.bindings?.x;
}
