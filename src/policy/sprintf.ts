/**
 * OPA's `sprintf` for what policies mostly write: `%s`, `%d`, `%v` and `%%` on strings, integers, booleans and null, one argument per
 * verb. Gives `undefined` for everything else, and the caller then asks OPA itself: better slow than a text that differs from Go's.
 * Both arguments and the result are Rego terms as text (JSON, except for sets).
 * @see https://www.openpolicyagent.org/docs/policy-reference/builtins/strings
 */
export function sprintfText(formatText: string, valuesText: string): string | undefined {
  const format = parse(formatText);
  const values = parse(valuesText);
  if (typeof format !== 'string' || !Array.isArray(values)) return undefined;
  let next = 0;
  let text = '';
  let from = 0;
  for (let at = format.indexOf('%'); at >= 0; at = format.indexOf('%', from)) {
    text += format.slice(from, at);
    const verb = format[at + 1];
    from = at + 2;
    if (verb === '%') {
      text += '%';
      continue;
    }
    if (next >= values.length) return undefined;
    const piece = show(verb, values[next++]);
    if (piece === undefined) return undefined;
    text += piece;
  }
  // Go reports arguments that no verb used.
  return next === values.length ? JSON.stringify(text + format.slice(from)) : undefined;
}

function show(verb: string | undefined, value: unknown): string | undefined {
  if (typeof value === 'string') return verb === 's' || verb === 'v' ? value : undefined;
  if (typeof value === 'number') return Number.isSafeInteger(value) && (verb === 'd' || verb === 'v') ? String(value) : undefined;
  if (typeof value === 'boolean' || value === null) return verb === 's' || verb === 'v' ? String(value) : undefined;
  return undefined;
}

/** The value, or `undefined` where JavaScript cannot hold it exactly: sets, 1.0, 1e3, integers beyond 2^53. */
function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.some((item) => typeof item === 'number') && !hasPlainNumbers(text) ? undefined : value;
  } catch {
    // A set, or an object whose keys are no strings, is no JSON: OPA itself takes over.
    return undefined;
  }
}

/** True when each number is written the way JavaScript would write it. */
function hasPlainNumbers(text: string): boolean {
  let plain = true;
  (JSON.parse as SourceParse)(text, (_key, item, context) => {
    if (typeof item === 'number' && String(item) !== context.source) plain = false;
    return item;
  });
  return plain;
}

/** `JSON.parse` as Node 24 has it: the reviver is told the text of each scalar. */
type SourceParse = (text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown) => unknown;
