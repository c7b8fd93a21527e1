import { EvaluationFault } from './fault.ts';
import { parseRego } from './rego-value.ts';
import { jsonOfRego } from './rego-write.ts';

const maxKept = 512;
const maxKeptChars = 4_096;
/** A decision has a few hundred characters, a list of thousands of tools some 100,000; more only keeps others waiting. */
const maxResultChars = 4 * 1_048_576;
const start = '{{"result": ';

/**
 * What an evaluation gave, as JSON in OPA's order. The module writes a set in the order of its hash table, and in JSON as an array: so it is
 * asked for Rego text, which is put in order here. The same few texts come again and again: each is worked on once.
 */
export class ResultTexts {
  readonly #kept = new Map<string, string>();

  /**
   * From the result set, which has one member or none for an entrypoint; `undefined` where it is undefined.
   * @throws EvaluationFault `error` when the text is no result set
   */
  json(results: string): string | undefined {
    if (results === 'set()') return undefined;
    if (!results.startsWith(start) || !results.endsWith('}}'))
      throw new EvaluationFault('error', 'the module gave something that is no result set');
    if (results.length > maxResultChars)
      throw new EvaluationFault('malformed', `the answer has ${results.length} characters and may have ${maxResultChars}`);
    const known = this.#kept.get(results);
    if (known !== undefined) return known;
    const json = jsonOfRego(parseRego(results.slice(start.length, -2)));
    if (results.length <= maxKeptChars) {
      if (this.#kept.size >= maxKept) this.#kept.clear();
      this.#kept.set(results, json);
    }
    return json;
  }
}
