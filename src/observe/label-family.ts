/** The values that one label may have: those listed, or the first so many that come along. Everything else is `other`. */
export interface LabelRule {
  readonly name: string;
  readonly values?: readonly string[];
  /** Default 100. */
  readonly max?: number;
}

/** One time series, with the values of its labels. */
export interface Series<Child> {
  readonly labels: Readonly<Record<string, string>>;
  readonly child: Child;
}

type Level<Child> = Map<string, Child>;

/**
 * The time series of one metric. Looking one up makes no object and builds no text: it happens several times a call. How many there can
 * be is bounded, whatever an agent sends.
 */
export class LabelFamily<Child> {
  readonly #rules: readonly LabelRule[];
  readonly #make: () => Child;
  readonly #admitted: readonly Set<string>[];
  readonly #tree: Level<Level<Level<Child>>> = new Map();
  readonly #series: Series<Child>[] = [];

  /** At most three labels. */
  constructor(rules: readonly LabelRule[], make: () => Child) {
    this.#rules = rules;
    this.#make = make;
    this.#admitted = rules.map(({ values }) => new Set(values));
  }

  get series(): readonly Series<Child>[] {
    return this.#series;
  }

  at(first = '', second = '', third = ''): Child {
    return this.#tree.get(first)?.get(second)?.get(third) ?? this.#admit([first, second, third]);
  }

  #admit(values: readonly [string, string, string]): Child {
    const [first, second, third] = values.map((value, index) => this.#bounded(value, index)) as [string, string, string];
    const level = entry(
      entry(this.#tree, first, () => new Map<string, Level<Child>>()),
      second,
      () => new Map<string, Child>(),
    );
    return entry(level, third, () => {
      const child = this.#make();
      const named = this.#rules.map(({ name }, index) => [name, [first, second, third][index] ?? '']);
      this.#series.push({ labels: Object.fromEntries(named) as Record<string, string>, child });
      return child;
    });
  }

  #bounded(value: string, index: number): string {
    const rule = this.#rules[index];
    const admitted = this.#admitted[index];
    if (rule === undefined || admitted === undefined) return '';
    if (admitted.has(value)) return value;
    if (rule.values !== undefined || admitted.size >= (rule.max ?? 100)) return 'other';
    admitted.add(value);
    return value;
  }
}

function entry<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
