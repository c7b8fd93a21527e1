import type { TraceStep } from './rego-tools.ts';

/** The expression at which a definition of a rule ended. */
export interface FalseExpression {
  /** As it stands in the file. */
  readonly text: string;
  readonly file: string;
  readonly row: number;
  /** What its parts were, as Rego text; `undefined` for what was not there. */
  readonly values: Readonly<Record<string, string>>;
  /** Rules that it asks, and how each of their definitions ended. */
  readonly because: readonly DefinitionOutcome[];
}

/** How one definition of a rule ended. */
export interface DefinitionOutcome {
  /** `data.rules.billing.large_refund.deny` */
  readonly path: string;
  readonly file: string;
  readonly row: number;
  readonly fired: boolean;
  /** The expression that no values of its variables made true; absent where the definition fired or was never asked. */
  readonly failed?: FalseExpression;
}

export interface TracedDocuments {
  readonly input: unknown;
  readonly data: unknown;
}

const maxDepth = 4;
const maxHelpers = 6;

/**
 * Reads the trace of an evaluation without rule index and early exit. One definition may have been evaluated many times (a function): it
 * fired if it did once, and what ended it is told of the last time.
 */
export class TraceReader {
  readonly #documents: TracedDocuments;
  readonly #byQuery = new Map<number, TraceStep[]>();
  readonly #definitions = new Map<
    string,
    { readonly path: string; readonly file: string; readonly row: number; readonly queries: number[] }
  >();

  constructor(steps: readonly TraceStep[], documents: TracedDocuments) {
    this.#documents = documents;
    for (const step of steps) {
      const own = this.#byQuery.get(step.query);
      if (own === undefined) this.#byQuery.set(step.query, [step]);
      else own.push(step);
      if (step.op !== 'Enter' || step.kind !== 'rule') continue;
      const [file, row] = [step.file ?? '', step.row ?? 0];
      const key = `${step.node} ${file}:${row}`;
      const known = this.#definitions.get(key);
      if (known === undefined) this.#definitions.set(key, { path: step.node, file, row, queries: [step.query] });
      else known.queries.push(step.query);
    }
  }

  /** How the definitions of the rule at `path` ended, in the order of the files. */
  outcomes(path: string, depth = 0): readonly DefinitionOutcome[] {
    return [...this.#definitions.values()]
      .filter((one) => one.path === path)
      .sort((a, b) => a.file.localeCompare(b.file) || a.row - b.row)
      .map(({ file, row, queries }) => {
        const fired = queries.some((query) => this.#steps(query).some(({ op, kind }) => op === 'Exit' && kind === 'rule'));
        const failed = fired ? undefined : this.#failed(queries.at(-1) ?? -1, path, depth);
        return { path, file, row, fired, ...(failed === undefined ? {} : { failed }) };
      });
  }

  #steps(query: number): readonly TraceStep[] {
    return this.#byQuery.get(query) ?? [];
  }

  /** The furthest expression that was reached: what came before it held, with some values. */
  #failed(query: number, path: string, depth: number): FalseExpression | undefined {
    const steps = this.#steps(query);
    const order = new Map<string, number>();
    for (const step of steps) if (step.op === 'Eval' && !order.has(keyOf(step))) order.set(keyOf(step), order.size);
    let furthest: TraceStep | undefined;
    for (const step of steps) {
      if (step.op !== 'Fail' || step.kind !== 'expr') continue;
      if (furthest === undefined || (order.get(keyOf(step)) ?? 0) >= (order.get(keyOf(furthest)) ?? 0)) furthest = step;
    }
    if (furthest === undefined) return undefined;
    const failing = furthest;
    const helpers = depth >= maxDepth ? [] : this.#rulesIn(failing, query).filter((one) => one !== path);
    return {
      text: (failing.text ?? failing.node).trim(),
      file: failing.file ?? '',
      row: failing.row ?? 0,
      values: this.#values(failing, steps),
      because: helpers.slice(0, maxHelpers).flatMap((helper) => this.outcomes(helper, depth + 1)),
    };
  }

  /** Rules that the expression names, and those that were asked for its made-up variables. */
  #rulesIn(failing: TraceStep, query: number): readonly string[] {
    const steps = this.#steps(query);
    const nodes = [failing, ...steps.filter(({ op, row, node }) => op === 'Eval' && row === failing.row && node !== failing.node)].map(
      ({ node }) => node,
    );
    const named = nodes.flatMap((node) => [...node.matchAll(/data(?:\.\w+|\["[^"]*"\])+/g)].map(([ref]) => ref));
    const paths = new Set([...this.#definitions.values()].map(({ path }) => path));
    const isPart = (ref: string, path: string): boolean => ref === path || ref.startsWith(`${path}.`) || ref.startsWith(`${path}[`);
    return [...new Set(named.flatMap((ref) => [...paths].filter((path) => isPart(ref, path))))];
  }

  #values(failing: TraceStep, steps: readonly TraceStep[]): Record<string, string> {
    const values: Record<string, string> = {};
    const locals = failing.locals ?? {};
    for (const [name, value] of Object.entries(locals)) {
      if (!new RegExp(`(^|\\W)${name.replace(/\$/g, '\\$')}(\\W|$)`).test(failing.node) && !mentions(failing.text, name)) continue;
      if (name.startsWith('$')) continue;
      values[name.startsWith('__local') ? (madeFrom(name, steps) ?? name) : name] = value;
    }
    for (const { label, value } of this.#references(failing.node, locals)) values[label] ??= value;
    return values;
  }

  /** References into the two documents with what they lead to. One that goes on with an unbound variable stops before it. */
  #references(node: string, locals: Readonly<Record<string, string>>): { readonly label: string; readonly value: string }[] {
    return [...node.matchAll(/\b(input|data)((?:\.[A-Za-z_]\w*|\["(?:[^"\\]|\\.)*"\]|\[\w+\])+)/g)].flatMap(([, root = '', rest = '']) => {
      const steps: (string | number)[] = [];
      for (const [, name, quoted, variable] of rest.matchAll(/\.([A-Za-z_]\w*)|\[("(?:[^"\\]|\\.)*")\]|\[(\w+)\]/g)) {
        if (variable !== undefined && !/^\d+$/.test(variable) && locals[variable] === undefined) break;
        steps.push(
          name ?? (JSON.parse(quoted ?? (/^\d+$/.test(variable ?? '') ? (variable ?? '') : (locals[variable ?? ''] ?? 'null'))) as string),
        );
      }
      const isRule =
        root === 'data' && [...this.#definitions.values()].some(({ path }) => path.startsWith(`data.${steps.slice(0, 2).join('.')}.`));
      if (isRule || steps.length === 0) return [];
      const found = steps.reduce<unknown>(stepInto, root === 'input' ? this.#documents.input : this.#documents.data);
      // Tables of data are long; what was looked up in them is what matters.
      if (root === 'data' && typeof found === 'object') return [];
      return [{ label: `${root}${steps.map(stepText).join('')}`, value: found === undefined ? 'undefined' : JSON.stringify(found) }];
    });
  }
}

function keyOf({ node, row }: TraceStep): string {
  return `${row ?? 0} ${node}`;
}

function mentions(text: string | undefined, name: string): boolean {
  return !name.startsWith('__local') && text !== undefined && new RegExp(`\\b${name}\\b`).test(text);
}

/** The text of the expression whose value a made-up variable holds. */
function madeFrom(name: string, steps: readonly TraceStep[]): string | undefined {
  const maker = steps.find(({ op, node }) => op === 'Eval' && (node.startsWith(`${name} = `) || node.endsWith(`, ${name})`)));
  return maker?.text?.trim();
}

function stepInto(value: unknown, step: string | number): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.hasOwn(value, step) ? (value as Record<string | number, unknown>)[step] : undefined;
}

function stepText(step: string | number): string {
  return typeof step === 'string' && /^[A-Za-z_]\w*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
}
