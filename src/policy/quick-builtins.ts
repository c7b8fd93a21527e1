import { EvaluationFault } from './fault.ts';
import { topLevelInteger } from './input-time.ts';
import { isArray } from './rego-order.ts';
import { parseRego, type RegoValue } from './rego-value.ts';
import { goJsonString, jsonOfRego, textOfRego } from './rego-write.ts';
import { sprintfText } from './sprintf.ts';

/**
 * A builtin in JavaScript: the answer as Rego text; `null` where the call is undefined; `undefined` where OPA has to be asked. It answers what
 * OPA answers, to the byte, or leaves it: a test compares them.
 */
export type QuickBuiltin = (args: readonly string[], evaluation: { readonly inputJson: string }) => string | null | undefined;

/** By name. They answer most calls; what they leave goes to OPA, which takes ten times as long and has to be started once. */
export const quickBuiltins: Readonly<Record<string, QuickBuiltin>> = {
  'time.now_ns': (_args, evaluation) => nowOf(evaluation.inputJson),
  sprintf: ([format = '', values = '']) => sprintfText(format, values),
  'internal.template_string': ([parts = '']) => templateText(parseRego(parts)),
  'json.marshal': ([value = '']) => JSON.stringify(jsonOfRego(parseRego(value), goJsonString)),
  'json.unmarshal': ([value = '']) => unmarshalled(stringOf(value)),
  replace: (args) => replaced(args.map(stringOf)),
  indexof: ([text = '', part = '']) => indexOf(stringOf(text), stringOf(part)),
  substring: ([text = '', offset = '', length = '']) => substring(stringOf(text), whole(offset), whole(length)),
  plus: ([a = '', b = '']) => calculated(whole(a), whole(b), (x, y) => x + y),
  minus: ([a = '', b = '']) => calculated(whole(a), whole(b), (x, y) => x - y),
  mul: ([a = '', b = '']) => calculated(whole(a), whole(b), (x, y) => x * y),
  div: ([a = '', b = '']) => calculated(whole(a), whole(b), (x, y) => (y !== 0n && x % y === 0n ? x / y : undefined)),
  abs: ([a = '']) => calculated(whole(a), 0n, (x) => (x < 0n ? -x : x)),
  round: ([a = '']) => whole(a)?.toString(),
  ceil: ([a = '']) => whole(a)?.toString(),
  floor: ([a = '']) => whole(a)?.toString(),
  sum: ([list = '']) => folded(list, 0n, (x, y) => x + y),
  product: ([list = '']) => folded(list, 1n, (x, y) => x * y),
  'bits.and': ([a = '', b = '']) => calculated(whole(a), whole(b), (x, y) => x & y),
  'bits.or': ([a = '', b = '']) => calculated(whole(a), whole(b), (x, y) => x | y),
  'bits.xor': ([a = '', b = '']) => calculated(whole(a), whole(b), (x, y) => x ^ y),
  to_number: ([value = '']) => whole(stringOf(value) ?? value)?.toString(),
  format_int: ([number = '', base = '']) => formatted(whole(number), base),
  'base64.decode': ([text = '']) => decoded(stringOf(text)),
  'base64.is_valid': ([text = '']) => (standardBase64.test(stringOf(text) ?? '!') ? 'true' : undefined),
};

/** 15 digits, so that JavaScript writes them as they were written, and no `-0`. */
const wholeNumber = /^(?:0|-?[1-9]\d{0,14})$/;
const standardBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function whole(text: string): bigint | undefined {
  return wholeNumber.test(text) ? BigInt(text) : undefined;
}

function calculated(a: bigint | undefined, b: bigint | undefined, work: (a: bigint, b: bigint) => bigint | undefined): string | undefined {
  return a === undefined || b === undefined ? undefined : work(a, b)?.toString();
}

/** Over an array or a set of whole numbers. */
function folded(list: string, start: bigint, work: (a: bigint, b: bigint) => bigint): string | undefined {
  if (list === 'set()') return String(start);
  const numbers = /^[[{](.*)[\]}]$/.exec(list)?.[1];
  if (numbers === undefined || list === '{}') return undefined;
  let result = start;
  for (const text of numbers === '' ? [] : numbers.split(', ')) {
    const number = whole(text);
    if (number === undefined) return undefined;
    result = work(result, number);
  }
  return String(result);
}

/** The input's time. Without one `time.now_ns` fails the evaluation: an undefined time would pass under `not`. */
function nowOf(inputJson: string): string {
  const now = topLevelInteger(inputJson, 'at_ns');
  if (now === undefined) throw new EvaluationFault('error', 'the policy asks for the time and the input has no `at_ns`');
  return now;
}

function stringOf(text: string): string | undefined {
  return text.startsWith('"') ? (JSON.parse(text) as string) : undefined;
}

/** Each part is a text, a number or the like, or the set of the values of an expression: one, or none where it is undefined. */
function templateText(parts: RegoValue): string {
  const shown = (value: RegoValue): string => (typeof value === 'string' ? value : textOfRego(value));
  const texts = (isArray(parts) ? parts : []).map((part) => {
    if (typeof part !== 'object' || part === null || isArray(part) || part.kind !== 'set') return shown(part);
    if (part.items.length > 1) throw new EvaluationFault('error', 'template-strings must not produce multiple outputs');
    return part.items[0] === undefined ? '<undefined>' : shown(part.items[0]);
  });
  return JSON.stringify(texts.join(''));
}

/** The module's own never ends where what it looks for is empty, and takes the square of the time where the text grows. */
function replaced([text, old, by]: readonly (string | undefined)[]): string | null {
  if (text === undefined || old === undefined || by === undefined) return null;
  return JSON.stringify(old === '' ? [by, ...Array.from(text).flatMap((char) => [char, by])].join('') : text.split(old).join(by));
}

/** Counted in code points. Looking for nothing fails in OPA. */
function indexOf(text: string | undefined, part: string | undefined): string | null {
  if (text === undefined || part === undefined || part === '') return null;
  const at = text.indexOf(part);
  return String(at < 0 ? at : Array.from(text.slice(0, at)).length);
}

function substring(text: string | undefined, offset: bigint | undefined, length: bigint | undefined): string | undefined {
  if (text === undefined || offset === undefined || length === undefined || offset < 0n) return undefined;
  const from = Number(offset);
  return JSON.stringify(
    Array.from(text)
      .slice(from, length < 0n ? undefined : from + Number(length))
      .join(''),
  );
}

function formatted(number: bigint | undefined, base: string): string | undefined {
  return number !== undefined && /^(?:2|8|10|16)$/.test(base) ? `"${number.toString(Number(base))}"` : undefined;
}

function decoded(text: string | undefined): string | undefined {
  if (text === undefined || !standardBase64.test(text)) return undefined;
  const plain = Buffer.from(text, 'base64').toString();
  return plain.includes('\ufffd') ? undefined : JSON.stringify(plain);
}

/** Texts that the module reads as Go does: without escapes, exponents and numbers of great length. */
function unmarshalled(text: string | undefined): string | null | undefined {
  if (text === undefined) return null;
  if (/\\|\d[eE]|\d{40}/.test(text)) return undefined;
  try {
    JSON.parse(text);
    return text;
  } catch {
    // Go reads nothing that is no JSON either; to be sure that it agrees, it is asked.
    return undefined;
  }
}
