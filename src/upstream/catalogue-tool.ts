import { isJsonObject, type JsonObject } from '../model/json.ts';
import type { Digest } from '../model/ids.ts';
import { compileValidator, type Validator } from '../model/validate.ts';
import type { Finding } from '../model/input.ts';
import type { ListedTool } from './catalogue.ts';
import type { PinState } from './pinning.ts';

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
  /** Why lists leave it out until somebody looked at it; calls of it are judged all the same. */
  readonly quarantined: string | undefined;
  /** What a scan of the definition, and a look at the other tools, found. Pointers are from the definition's root. */
  readonly findings: readonly Finding[];
  /** What the upstream claims: unverified. */
  readonly annotations: JsonObject;
  /** Why the definition itself is of no use; a broken schema shows later, in {@link unusable}. */
  readonly malformed: string | undefined;
  readonly #listed: ListedTool;
  #check: Validator | undefined;
  #broken: string | undefined;

  constructor(upstream: string, listed: ListedTool, labels: readonly string[], pin: PinState, findings: readonly Finding[]) {
    this.upstream = upstream;
    this.name = listed.name;
    this.definition = listed.definition;
    this.digest = listed.digest;
    this.labels = labels;
    this.pinned = pin.pinned;
    this.quarantined = pin.quarantined;
    this.findings = findings;
    this.#listed = listed;
    const annotations = listed.definition['annotations'];
    this.annotations = isJsonObject(annotations) ? annotations : {};
    this.malformed = listed.unusable;
  }

  /** The same tool with further findings. */
  alsoFound(findings: readonly Finding[]): CatalogueTool {
    return new CatalogueTool(this.upstream, this.#listed, this.labels, this, [...this.findings, ...findings]);
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
