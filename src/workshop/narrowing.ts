import { canonical, digestText } from '../model/digest.ts';
import { GatewayError } from '../model/errors.ts';
import type { Identity } from '../model/identity.ts';
import type { ToolFacts } from '../model/input.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { ActiveRelease } from '../model/ports.ts';
import { fits, type Bound } from './bound.ts';
import { and, not } from './formula.ts';
import { argumentBounds, fitsType, narrowSchema, sampleArguments } from './narrow-schema.ts';
import type { RegoFiles, RegoTools } from './rego-tools.ts';
import { readRuleBook, type RuleBook } from './rule-sets.ts';
import { wholeInput, type KnownIdentity, type ToolQuestion } from './tool-question.ts';
import { verdictsOf } from './verdict.ts';

/** Who asks for a list, and where. */
export interface Listing {
  readonly release: ActiveRelease;
  readonly identity: Identity;
  readonly environmentJson: string;
}

export interface NarrowingOptions {
  /** Runs `work` with OPA; only in the background. */
  readonly withRego: <T>(work: (rego: RegoTools) => Promise<T>) => Promise<T>;
  /** The files of a release, or `undefined` where they are not at hand (any more): then its lists are not narrowed. */
  readonly filesOf: (release: ActiveRelease) => Promise<RegoFiles | undefined>;
  readonly onError: (error: unknown) => void;
  /** Told when tools were found that lists show narrower from now on. */
  readonly onNarrowed?: () => void;
  /** Where answers outlive the process: they hold for as long as the release, the tool and the class of identities stay the same. */
  readonly outlive?: KeptAnswers;
  /** Answers that are kept; 5,000 when absent. The oldest goes first. */
  readonly maxKept?: number;
  /** Questions that may wait; 1,000 when absent. What does not fit is asked again by a later list. */
  readonly maxWaiting?: number;
  /** For one batch; 10,000 when absent. A batch that takes longer leaves its tools as they are. */
  readonly timeoutMs?: number;
}

/** Answers on disk, as JSON text, by the release's digest. What cannot be read is asked again. */
export interface KeptAnswers {
  read(digest: string): Promise<string | undefined>;
  write(digest: string, json: string): Promise<void>;
}

type Answer = Readonly<Record<string, Bound>> | null;

/** Few at a time: a new release must not wait long for the compiler. */
const batchSize = 10;
const verifyDeadlineMs = 100;

interface Question {
  readonly key: string;
  readonly release: ActiveRelease;
  readonly facts: ToolFacts;
  readonly schema: JsonObject;
  readonly identityFacts: KnownIdentity;
  readonly environmentJson: string;
}

/**
 * Narrows the listed `inputSchema` of tools to what policy does not refuse anyhow. Found by partial evaluation, in the background: a list
 * never waits for it, and shows a tool as it is until its answer is there. Kept for each release, tool definition and class of identities.
 * Only what is proved narrows, and each narrowing is tried on the release's own engine before it is used; calls are judged all the same.
 */
export class Narrowing {
  readonly #options: NarrowingOptions;
  /** Bounds by argument; `null` where nothing narrows. */
  readonly #kept = new Map<string, Answer>();
  /** By release: what was answered before, this process's answers added. */
  readonly #outlived = new Map<string, Map<string, Answer>>();
  readonly #books = new WeakMap<object, Promise<RuleBook | undefined>>();
  readonly #definitions = new WeakMap<JsonObject, Map<object, JsonObject>>();
  readonly #toolKeys = new WeakMap<ToolFacts, { readonly definition: JsonObject; readonly key: string }>();
  #waiting = new Map<string, Question>();
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: NarrowingOptions) {
    this.#options = options;
  }

  /**
   * Gives each tool's definition as this list is to show it: the same object where nothing narrows or nothing is known yet. `facts` and
   * `definition` are objects of the catalogue's snapshot, which keeps them.
   */
  list({ release, identity, environmentJson }: Listing): (facts: ToolFacts, definition: JsonObject) => JsonObject {
    const identityFacts = classOf(release, identity);
    const classKey = digestText(JSON.stringify([release.digest, environmentJson, canonical(identityFacts)]));
    return (facts, definition) => {
      const schema = definition['inputSchema'];
      if (!isJsonObject(schema) || !isJsonObject(schema['properties'])) return definition;
      const key = `${classKey} ${this.#toolKey(facts, definition)}`;
      const bounds = this.#kept.get(key);
      if (bounds === undefined) this.#ask({ key, release, facts, schema, identityFacts, environmentJson });
      return bounds === undefined || bounds === null ? definition : this.#narrowed(definition, schema, bounds);
    };
  }

  /** Answers nothing more; what is under way ends with OPA. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
  }

  /** Resolves when nothing waits to be answered. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #toolKey(facts: ToolFacts, definition: JsonObject): string {
    const known = this.#toolKeys.get(facts);
    if (known?.definition === definition) return known.key;
    const key = digestText(canonical([facts as unknown as Json, definition['inputSchema'] ?? null]));
    this.#toolKeys.set(facts, { definition, key });
    return key;
  }

  #narrowed(definition: JsonObject, schema: JsonObject, bounds: Readonly<Record<string, Bound>>): JsonObject {
    const kept = this.#definitions.get(definition) ?? new Map<object, JsonObject>();
    this.#definitions.set(definition, kept);
    let narrowed = kept.get(bounds);
    if (narrowed === undefined) {
      const inputSchema = narrowSchema(schema, bounds);
      narrowed = inputSchema === undefined ? definition : { ...definition, inputSchema };
      kept.set(bounds, narrowed);
    }
    return narrowed;
  }

  #ask(question: Question): void {
    if (this.#isClosed || this.#waiting.size >= (this.#options.maxWaiting ?? 1_000)) return;
    this.#waiting.set(question.key, question);
    this.#running ??= this.#work().finally(() => (this.#running = undefined));
  }

  async #work(): Promise<void> {
    // The list that asked goes out first.
    await new Promise((resolve) => setImmediate(resolve));
    let isNarrower = false;
    while (this.#waiting.size > 0) {
      const [first] = this.#waiting.values();
      if (first === undefined) break;
      const batch = [...this.#waiting.values()].filter(({ release }) => release.digest === first.release.digest).slice(0, batchSize);
      const before = await this.#answeredBefore(first.release.digest);
      const open = batch.filter(({ key }) => !before.has(key));
      try {
        const answers = open.length === 0 ? undefined : await this.#answer(first.release, open);
        for (const [index, answer] of (answers ?? []).entries()) before.set(open[index]?.key ?? '', answer);
        if (answers !== undefined) await this.#options.outlive?.write(first.release.digest, keptJson([...before].slice(-this.#maxKept)));
      } catch (error) {
        // Without an answer these tools go on being listed as they are, which is always right.
        if (!this.#isClosed) this.#options.onError(error);
      }
      for (const { key } of batch) {
        this.#waiting.delete(key);
        const answer = before.get(key) ?? null;
        isNarrower ||= answer !== null;
        this.#keep(key, answer);
      }
    }
    if (isNarrower && !this.#isClosed) this.#options.onNarrowed?.();
  }

  async #answeredBefore(digest: string): Promise<Map<string, Answer>> {
    let before = this.#outlived.get(digest);
    if (before === undefined) {
      const json = await this.#options.outlive?.read(digest);
      before = new Map(json === undefined ? [] : keptAnswers(json));
      // Of one release at a time: a reload seldom goes back.
      this.#outlived.clear();
      this.#outlived.set(digest, before);
    }
    return before;
  }

  #keep(key: string, answer: Answer): void {
    this.#kept.set(key, answer);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#maxKept && oldest !== undefined) this.#kept.delete(oldest);
  }

  get #maxKept(): number {
    return this.#options.maxKept ?? 5_000;
  }

  /** `undefined` where the policy is not at hand. */
  async #answer(release: ActiveRelease, batch: readonly Question[]): Promise<readonly Answer[] | undefined> {
    const questions = batch.map(questionOf);
    const [sample] = questions;
    const book = sample === undefined ? undefined : await this.#book(release, sample);
    if (book === undefined) return undefined;
    if (book.obstacle !== undefined) return batch.map(() => null);
    const timeoutMs = this.#options.timeoutMs ?? 10_000;
    const verdicts = await this.#rego((rego) => verdictsOf(rego, book, questions, { timeoutMs, sets: ['deny', 'allow'] }));
    return Promise.all(
      verdicts.map(async ({ allow, deny }, index) => {
        const { schema, release: asked } = batch[index] as Question;
        const question = questions[index] as ToolQuestion;
        const bounds = argumentBounds(and([allow, not(deny)]), schema);
        const isEmpty = Object.keys(bounds).length === 0;
        return isEmpty || !(await isRefusedBeyond(asked, question, schema, bounds)) ? null : bounds;
      }),
    );
  }

  async #rego<T>(work: (rego: RegoTools) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new GatewayError('gateway.stopping', 'lists are not narrowed any more');
    return this.#options.withRego(work);
  }

  async #book(release: ActiveRelease, sample: ToolQuestion): Promise<RuleBook | undefined> {
    // By the engine: it stays when a release only changes its name.
    let book = this.#books.get(release.engine);
    if (book === undefined) {
      book = this.#options
        .filesOf(release)
        .then(async (files) =>
          files === undefined ? undefined : this.#rego((rego) => readRuleBook(rego, files, JSON.stringify(wholeInput(sample)))),
        );
      this.#books.set(release.engine, book);
    }
    return book;
  }
}

/** Counted up when the analysis changes: what an older one answered is asked again. */
const analysis = 1;

function keptJson(answers: readonly (readonly [string, Answer])[]): string {
  return JSON.stringify({ analysis, answers });
}

function keptAnswers(json: string): readonly [string, Answer][] {
  const kept = JSON.parse(json) as { readonly analysis: number; readonly answers: [string, Answer][] };
  return kept.analysis === analysis ? kept.answers : [];
}

function questionOf({ facts, identityFacts, environmentJson }: Question): ToolQuestion {
  return { tool: facts, identity: identityFacts, environment: JSON.parse(environmentJson) as ToolQuestion['environment'] };
}

/**
 * What makes identities alike for lists: groups and kind, and what else of the identity `gateway/list` reads. What changes with each token is
 * never part of it; it stays unknown, and so do members that only calls read.
 */
function classOf(release: ActiveRelease, identity: Identity): KnownIdentity {
  const { groups, kind, issuer, subject, client, scopes, claims, tenant } = identity;
  const known: KnownIdentity = { groups: [...groups].sort(), kind, tenant };
  const reads = release.reads('gateway/list')?.get('identity');
  if (reads === undefined || reads === null) return known;
  const others = Object.entries({ issuer, subject, client, scopes, claims }).filter(([member]) => reads.has(member));
  return { ...known, ...(Object.fromEntries(others) as KnownIdentity) };
}

/** Tries values beyond each bound on the release itself: one that is not refused says that the analysis is wrong about this release. */
async function isRefusedBeyond(
  release: ActiveRelease,
  question: ToolQuestion,
  schema: JsonObject,
  bounds: Readonly<Record<string, Bound>>,
): Promise<boolean> {
  for (const [name, bound] of Object.entries(bounds)) {
    const others = sampleArguments(schema, name);
    for (const value of valuesBeyond(bound).filter((one) => fitsType(schema, name, one))) {
      const input = wholeInput(question, { arguments: { ...others, [name]: value } });
      const evaluation = await release.engine.evaluate('gateway/call', JSON.stringify(input), verifyDeadlineMs);
      if (evaluation.ok && evaluation.answer.effect !== 'deny') return false;
    }
  }
  return true;
}

/** A few values that do not fit. */
function valuesBeyond(bound: Bound): readonly Json[] {
  const { min, max, except = [] } = bound;
  const tried: Json[] = ['castellan-probe', '', 0, 1, -1, true, false, ...except];
  for (const limit of [min, max]) if (limit !== undefined) tried.push(limit.value, limit.value + 1, limit.value - 1);
  return tried.filter((value) => !fits(bound, value));
}
