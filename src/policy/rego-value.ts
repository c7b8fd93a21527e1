/** A number as it was written: `1.0` is another text than `1`, and 2^53 + 1 fits no double. */
export interface RegoNumber {
  readonly kind: 'number';
  readonly text: string;
}
export interface RegoSet {
  readonly kind: 'set';
  readonly items: readonly RegoValue[];
}
export interface RegoObject {
  readonly kind: 'object';
  readonly entries: readonly (readonly [key: RegoValue, value: RegoValue])[];
}
/** A Rego value; arrays, strings, booleans and null are JavaScript's own. */
export type RegoValue = null | boolean | string | RegoNumber | readonly RegoValue[] | RegoObject | RegoSet;

/**
 * The value of a Rego term as OPA's WebAssembly writes it (`opa_value_dump`), which JSON is a part of: sets are `{1, 2}` and `set()`, keys of
 * objects are values of any kind.
 * @throws SyntaxError
 */
export function parseRego(text: string): RegoValue {
  const reader = new Reader(text);
  const value = reader.value();
  reader.end();
  return value;
}

/** In the place of an object's key: the text is that of a set. */
const noKey = Symbol('no key');
const scalars: readonly (readonly [string, null | boolean])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
];

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): RegoValue {
    const first = this.#peek();
    if (first === '"') return this.#string();
    if (first === '[') return this.#list(']', () => this.value());
    if (first === '{') return this.#braces();
    if (this.#take('set()')) return { kind: 'set', items: [] };
    for (const [word, value] of scalars) if (this.#take(word)) return value;
    return this.#number();
  }

  end(): void {
    if (this.#peek() !== '') this.#fail();
  }

  #braces(): RegoValue {
    const items: [RegoValue | typeof noKey, RegoValue][] = this.#list('}', () => {
      const first = this.value();
      if (this.#peek() !== ':') return [noKey, first];
      this.#at++;
      return [first, this.value()];
    });
    if (items.length > 0 && items.every(([key]) => key === noKey)) return { kind: 'set', items: items.map(([, item]) => item) };
    return { kind: 'object', entries: items.map(([key, value]) => (key === noKey ? this.#fail() : [key, value])) };
  }

  #list<Item>(close: string, item: () => Item): Item[] {
    const items: Item[] = [];
    this.#at++;
    if (this.#peek() === close) {
      this.#at++;
      return items;
    }
    for (;;) {
      items.push(item());
      const next = this.#peek();
      this.#at++;
      if (next === close) return items;
      if (next !== ',') this.#fail();
    }
  }

  #string(): string {
    const from = this.#at;
    let end = from;
    do {
      end = this.#text.indexOf('"', end + 1);
      if (end < 0) this.#fail();
    } while (this.#isEscaped(end));
    this.#at = end + 1;
    return JSON.parse(this.#text.slice(from, this.#at)) as string;
  }

  #isEscaped(at: number): boolean {
    let slashes = 0;
    while (this.#text[at - 1 - slashes] === '\\') slashes++;
    return slashes % 2 === 1;
  }

  #number(): RegoNumber {
    const shape = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
    shape.lastIndex = this.#at;
    const text = shape.exec(this.#text)?.[0];
    if (text === undefined) return this.#fail();
    this.#at += text.length;
    return { kind: 'number', text };
  }

  #take(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #peek(): string {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
    return this.#text[this.#at] ?? '';
  }

  #fail(): never {
    throw new SyntaxError(`no Rego value at position ${this.#at}`);
  }
}
