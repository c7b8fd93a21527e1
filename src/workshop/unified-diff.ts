const context = 3;

interface Edit {
  readonly mark: ' ' | '-' | '+';
  readonly line: string;
}

/** A unified diff with three lines of context, or an empty text where nothing differs. Linear in space for files that differ in few lines. */
export function unifiedDiff(path: string, before: string, after: string): string {
  if (before === after) return '';
  const edits = editsOf(linesOf(before), linesOf(after));
  const hunks: string[] = [];
  let [oldLine, newLine] = [1, 1];
  let at = 0;
  while (at < edits.length) {
    if (edits[at]?.mark === ' ') {
      [at, oldLine, newLine] = [at + 1, oldLine + 1, newLine + 1];
      continue;
    }
    const lead = Math.min(context, leading(edits, at));
    const end = hunkEnd(edits, at);
    const hunk = edits.slice(at - lead, end);
    const [removed, added] = [hunk.filter(({ mark }) => mark !== '+').length, hunk.filter(({ mark }) => mark !== '-').length];
    hunks.push(
      `@@ -${oldLine - lead},${removed} +${newLine - lead},${added} @@\n${hunk.map(({ mark, line }) => `${mark}${line}\n`).join('')}`,
    );
    oldLine += removed - lead;
    newLine += added - lead;
    at = end;
  }
  return `--- ${path}\n+++ ${path}\n${hunks.join('')}`;
}

/** A last line without its line break is another line than one with it. */
function linesOf(text: string): string[] {
  const lines = text.split('\n');
  const last = lines.pop() ?? '';
  return last === '' ? lines : [...lines, `${last}\n\\ No newline at end of file`];
}

function leading(edits: readonly Edit[], at: number): number {
  let count = 0;
  while (edits[at - count - 1]?.mark === ' ') count++;
  return count;
}

/** Where a hunk ends: after the context that follows its last change, changes closer than twice the context being one hunk. */
function hunkEnd(edits: readonly Edit[], start: number): number {
  let last = start;
  for (let at = start; at < edits.length && at - last <= context * 2; at++) if (edits[at]?.mark !== ' ') last = at;
  return Math.min(edits.length, last + 1 + context);
}

/** The longest common subsequence between what the two texts do not have in common at their ends. */
function editsOf(before: readonly string[], after: readonly string[]): Edit[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const same = (lines: readonly string[]): Edit[] => lines.map((line) => ({ mark: ' ', line }));
  return [
    ...same(before.slice(0, head)),
    ...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...same(before.slice(before.length - tail)),
  ];
}

const maxTable = 4_000_000;

function middle(before: readonly string[], after: readonly string[]): Edit[] {
  const removed = before.map((line): Edit => ({ mark: '-', line }));
  const added = after.map((line): Edit => ({ mark: '+', line }));
  // Two whole files that have little in common: the whole is replaced, which is as true and costs no table.
  if (before.length * after.length > maxTable) return [...removed, ...added];
  const width = after.length + 1;
  const lengths = new Uint32Array((before.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--)
      lengths[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const edits: Edit[] = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) {
      edits.push({ mark: ' ', line: before[i] ?? '' });
      [i, j] = [i + 1, j + 1];
    } else if (at(i + 1, j) >= at(i, j + 1)) edits.push({ mark: '-', line: before[i++] ?? '' });
    else edits.push({ mark: '+', line: after[j++] ?? '' });
  }
  return [...edits, ...removed.slice(i), ...added.slice(j)];
}
