import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { Digest } from '../model/ids.ts';
import { compileValidator, type Validator } from '../model/validate.ts';
import type { ListedTool } from './catalogue.ts';

/** One tool of one upstream: its definition as listed, what the configuration says of it, and a check of arguments. */
export class CatalogueTool {
  readonly upstream: string;
  readonly name: string;
  readonly definition: JsonObject;
  /** Of the whole definition: any change of it, description and schema included, is a change. */
  readonly digest: Digest;
  readonly labels: readonly string[];
  /** True where the definition is the one that was reviewed, or first seen. */
  readonly pinned: boolean;
  /** What the upstream claims: unverified. */
  readonly annotations: JsonObject;
  /** Why the definition itself is of no use; a broken schema shows later, in {@link unusable}. */
  readonly malformed: string | undefined;
  #check: Validator | undefined;
  #broken: string | undefined;

  constructor(upstream: string, listed: ListedTool, labels: readonly string[], pinned: boolean) {
    this.upstream = upstream;
    this.name = listed.name;
    this.definition = listed.definition;
    this.digest = listed.digest;
    this.labels = labels;
    this.pinned = pinned;
    const annotations = listed.definition['annotations'];
    this.annotations = isJsonObject(annotations) ? annotations : {};
    this.malformed = listed.unusable;
  }

  /** Why no arguments can be checked, and so the tool cannot be called; `undefined` where it can. Compiles the schema on first use. */
  get unusable(): string | undefined {
    if (this.#check === undefined && this.#broken === undefined) this.#compile();
    return this.malformed ?? this.#broken;
  }

  /** Checks arguments against the input schema; `undefined` when they fit, else words that name the place. */
  validate(value: JsonObject): string | undefined {
    return this.unusable ?? this.#check?.(value);
  }

  #compile(): void {
    const schema = this.definition['inputSchema'];
    try {
      this.#check = compileValidator(isJsonObject(schema) ? schema : {});
    } catch (error) {
      this.#broken = `the input schema of \`${this.name}\` cannot be used: ${error instanceof Error ? error.message.slice(0, 200) : 'unknown'}`;
    }
  }
}
