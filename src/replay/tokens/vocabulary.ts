/** Words and numbers that a policy knows: what is equal to one of them keeps its value when inputs are tokenised. */
export interface Vocabulary {
  /** Whole literals and keys, as they stand. */
  readonly literals: ReadonlySet<string>;
  /** The words in them, in lower case. */
  readonly words: ReadonlySet<string>;
  /** Sorted, each once. */
  readonly numbers: readonly number[];
}

/** What parses Rego: OPA's own parser. */
export interface RegoParser {
  parse(file: string, text: string): Promise<unknown>;
}

/** The literals of one Rego file, told apart by whether they can decide anything. */
export interface FileLiterals {
  readonly package: string;
  /** In bodies and in what helper rules give back: compared with, searched for, matched. */
  readonly deciding: readonly (string | number)[];
  /** All of them. */
  readonly all: readonly (string | number)[];
}

const wordPattern = /[\p{L}\p{N}]+/gu;

/** The words of a text, in lower case. */
export function wordsOf(text: string): string[] {
  return Array.from(text.matchAll(wordPattern), ([word]) => word.toLowerCase());
}

/** The vocabulary of literals and data documents. */
export function vocabularyOf(files: readonly FileLiterals[], documents: readonly unknown[]): Vocabulary {
  const found: (string | number)[] = files.flatMap(({ all }) => all);
  for (const document of documents) collectData(document, found);
  const literals = new Set(found.filter((item) => typeof item === 'string'));
  const numbers = new Set(found.filter((item) => typeof item === 'number'));
  return {
    literals,
    words: new Set([...literals].flatMap(wordsOf)),
    numbers: [...numbers].sort((a, b) => a - b),
  };
}

/** The literals of each Rego file. */
export async function literalsOf(rego: RegoParser, files: Readonly<Record<string, string>>): Promise<readonly FileLiterals[]> {
  const found: FileLiterals[] = [];
  for (const [name, text] of Object.entries(files)) {
    if (!name.endsWith('.rego')) continue;
    const module = (await rego.parse(name, text)) as Module;
    const steps = module.package.path.slice(1).map(({ value }) => value);
    const [all, deciding]: (string | number)[][] = [[], []];
    for (const rule of module.rules ?? []) {
      const { annotations: _, ...rest } = rule as { annotations?: unknown; head?: { name?: string; key?: unknown } };
      collectTerms(rest, all ?? []);
      // What a rule says to people decides nothing; what a helper gives back may.
      const isSet = steps[0] === 'rules' && rest.head?.key !== undefined;
      collectTerms(isSet ? { ...rest, head: withoutWords(rest.head) } : rest, deciding ?? []);
    }
    found.push({ package: steps.join('/'), deciding: deciding ?? [], all: all ?? [] });
  }
  return found;
}

/** The values and keys of a data document, as if it were a file of its own. */
export function dataLiterals(document: unknown): FileLiterals {
  const all: (string | number)[] = [];
  collectData(document, all);
  return { package: 'data', deciding: all, all };
}

/** Rules of `candidate` that decide by a literal which is not in the vocabulary that inputs were tokenised with: of those inputs they cannot judge. */
export function unservedRules(
  candidate: readonly FileLiterals[],
  kept: { readonly literals: ReadonlySet<string>; readonly words: ReadonlySet<string>; readonly numbers: readonly number[] },
): readonly string[] {
  const numbers = new Set(kept.numbers);
  const isNew = (literal: string | number): boolean =>
    typeof literal === 'number'
      ? !numbers.has(literal)
      : !kept.literals.has(literal) && wordsOf(literal).some((word) => !kept.words.has(word));
  return candidate.filter(({ deciding }) => deciding.some(isNew)).map(({ package: path }) => path.replace(/^rules\//, ''));
}

interface Module {
  readonly package: { readonly path: readonly { readonly value: string }[] };
  readonly rules?: readonly unknown[];
}

const spoken = new Set(['message', 'hint']);

/** The head of a rule set without the texts that only people read. */
function withoutWords(head: unknown): unknown {
  const { key } = head as { key?: { type?: string; value?: unknown } };
  if (key?.type === 'string') return {};
  if (key?.type !== 'object' || !Array.isArray(key.value)) return head;
  const pairs = key.value as readonly (readonly [{ readonly value?: unknown }, unknown])[];
  return { key: { type: 'object', value: pairs.filter(([name]) => typeof name.value !== 'string' || !spoken.has(name.value)) } };
}

function collectTerms(node: unknown, found: (string | number)[]): void {
  if (typeof node !== 'object' || node === null) return;
  if (Array.isArray(node)) {
    for (const item of node) collectTerms(item, found);
    return;
  }
  const { type, value } = node as { type?: unknown; value?: unknown };
  if (type === 'string' && typeof value === 'string') found.push(value);
  else if (type === 'number' && typeof value === 'number') found.push(value);
  else for (const item of Object.values(node)) collectTerms(item, found);
}

function collectData(node: unknown, found: (string | number)[]): void {
  if (typeof node === 'string' || typeof node === 'number') found.push(node);
  else if (Array.isArray(node)) for (const item of node) collectData(item, found);
  else if (typeof node === 'object' && node !== null) {
    for (const [key, item] of Object.entries(node)) {
      found.push(key);
      collectData(item, found);
    }
  }
}
