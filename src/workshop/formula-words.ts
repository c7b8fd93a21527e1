import { canonical } from '../model/digest.ts';
import type { Json } from '../model/json.ts';
import type { Atom, Formula } from './formula.ts';

/** The condition in words; `and` and `or` bind as in speech, with brackets where they mix. */
export function inWords(formula: Formula): string {
  switch (formula.op) {
    case 'true':
      return 'always';
    case 'false':
      return 'never';
    case 'and':
      return shortened(
        formula.of.map((part) => (part.op === 'or' ? `(${inWords(part)})` : inWords(part))),
        ' and ',
      );
    case 'or':
      return shortened(
        formula.of.map((part) => (part.op === 'and' ? `(${inWords(part)})` : inWords(part))),
        ' or ',
      );
    case 'is':
      return atomWords(formula.atom, false);
    case 'isNot':
      return atomWords(formula.atom, true);
    case 'opaque':
      return `\`${formula.text}\``;
    case 'notOpaque':
      return `not \`${formula.text}\``;
    default:
      return formula satisfies never;
  }
}

const maxParts = 12;

function shortened(parts: readonly string[], between: string): string {
  const [shown, more] = [parts.slice(0, maxParts), parts.length - maxParts];
  return more > 0 ? `${shown.join(between)}${between}${more} more` : shown.join(between);
}

/** `arguments.amount` is the argument `amount`; everything else keeps its whole name. */
function nameOf(path: readonly string[]): string {
  const [root, ...rest] = path;
  return root === 'arguments' && rest.length > 0 ? `\`${rest.join('.')}\`` : `\`input.${path.join('.')}\``;
}

function atomWords({ test, path, values }: Atom, isNegated: boolean): string {
  const name = nameOf(path);
  const [first = null] = values;
  const list = values.map(valueText).join(', ');
  switch (test) {
    case 'defined':
      return isNegated ? `${name} is missing` : `${name} is given`;
    case 'truthy':
      return isNegated ? `${name} is false or missing` : `${name} is given and not false`;
    case 'isString':
      return `${name} is ${isNegated ? 'not ' : ''}text`;
    case 'oneOf':
      return values.length === 1
        ? `${name} is ${isNegated ? 'not ' : ''}${valueText(first)}`
        : `${name} is ${isNegated ? 'none' : 'one'} of ${list}`;
    case 'contains':
      return `${name} ${isNegated ? 'does not contain' : 'contains'} ${valueText(first)}`;
    case 'startsWith':
      return `${name} ${isNegated ? 'does not start' : 'starts'} with ${valueText(first)}`;
    case 'less':
      return `${name} is ${isNegated ? 'not ' : ''}less than ${valueText(first)}`;
    case 'atMost':
      return `${name} is ${isNegated ? 'not ' : ''}at most ${valueText(first)}`;
    case 'more':
      return `${name} is ${isNegated ? 'not ' : ''}more than ${valueText(first)}`;
    case 'atLeast':
      return `${name} is ${isNegated ? 'not ' : ''}at least ${valueText(first)}`;
    default:
      return test satisfies never;
  }
}

function valueText(value: Json): string {
  return canonical(value);
}
