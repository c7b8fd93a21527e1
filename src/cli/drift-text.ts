import type { Json } from '../model/json.ts';
import type { FieldChange } from '../upstream/definition-diff.ts';
import type { ScannedDrift } from './integrity-tools.ts';
import { visible, type Output } from './output.ts';
import { wordDiff } from './word-diff.ts';

/** `server/tool`, or the server's instructions. */
export function driftName({ server, tool }: ScannedDrift): string {
  return visible(tool === null ? `${server} (instructions)` : `${server}/${tool}`);
}

/** One line for each difference. */
export function driftLines(output: Output, drift: readonly ScannedDrift[]): string {
  return drift.map((one) => headLine(output, one)).join('\n');
}

/** Every difference, field by field and word by word; nothing in it is invisible. */
export function driftText(output: Output, drift: readonly ScannedDrift[]): string {
  return drift.map((one) => [headLine(output, one), ...one.fields.flatMap((field) => fieldLines(output, field))].join('\n')).join('\n\n');
}

const colourOf = { added: 'green', removed: 'red', changed: 'yellow' } as const;

function headLine(output: Output, drift: ScannedDrift): string {
  const detectors = [...new Set(drift.findings.map(({ detector }) => detector))].join(', ');
  const found = detectors === '' ? '' : `  ${output.paint('red', `found: ${detectors}`)}`;
  return `${output.paint(colourOf[drift.kind], drift.kind.padEnd(7))}  ${output.paint('bold', driftName(drift))}${found}`;
}

function fieldLines(output: Output, { pointer, before, after }: FieldChange): string[] {
  const place = `  ${visible(pointer === '' ? '(all of it)' : pointer)}`;
  if (typeof before === 'string' && typeof after === 'string') {
    const text = wordDiff(before, after)
      .map(({ kind, text: words }) => (kind === 'same' ? shown(words) : mark(output, kind, shown(words))))
      .join('');
    return [place, `    ${text}`];
  }
  return [
    place,
    ...(before === undefined ? [] : [`    ${mark(output, 'removed', shown(textOf(before)))}`]),
    ...(after === undefined ? [] : [`    ${mark(output, 'added', shown(textOf(after)))}`]),
  ];
}

/** In colour where there are colours, else marked as `git diff --word-diff` does. */
function mark(output: Output, kind: 'removed' | 'added', text: string): string {
  if (output.colors) return output.paint(kind === 'removed' ? 'red' : 'green', text);
  return kind === 'removed' ? `[-${text}-]` : `{+${text}+}`;
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}

/** Line breaks stay, and all else that shows nothing is escaped. */
function shown(text: string): string {
  return text.split('\n').map(visible).join('\n    ');
}
