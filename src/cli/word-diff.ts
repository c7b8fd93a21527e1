/** A run of words that both texts have, or only one. */
export interface WordRun {
  readonly kind: 'same' | 'removed' | 'added';
  readonly text: string;
}

/** Steps of the search; larger texts are shown whole, old and new. */
const maxSteps = 4_000_000;

/** What became of a text, word by word: the fewest words removed and added. */
export function wordDiff(before: string, after: string): readonly WordRun[] {
  const old = wordsOf(before);
  const now = wordsOf(after);
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head++;
  let tail = 0;
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail)) tail++;
  const runs: { kind: WordRun['kind']; text: string }[] = [];
  const push = (kind: WordRun['kind'], text: string): void => {
    const last = runs.at(-1);
    if (text === '') return;
    if (last?.kind === kind) last.text += text;
    else runs.push({ kind, text });
  };
  push('same', old.slice(0, head).join(''));
  middle(old.slice(head, old.length - tail), now.slice(head, now.length - tail), push);
  push('same', old.slice(old.length - tail).join(''));
  return runs;
}

function middle(old: readonly string[], now: readonly string[], push: (kind: WordRun['kind'], text: string) => void): void {
  if (old.length * now.length > maxSteps || old.length === 0 || now.length === 0) {
    push('removed', old.join(''));
    push('added', now.join(''));
    return;
  }
  // Lengths of the longest common rest of old[i…] and now[j…].
  const width = now.length + 1;
  const rest = new Uint32Array((old.length + 1) * width);
  const at = (i: number, j: number): number => rest[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = now.length - 1; j >= 0; j--)
      rest[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      push('same', old[i] ?? '');
      i++;
      j++;
    } else if (i < old.length && (j === now.length || at(i + 1, j) >= at(i, j + 1))) push('removed', old[i++] ?? '');
    else push('added', now[j++] ?? '');
  }
}

/** Words, runs of white space and single marks; joined they are the text. */
function wordsOf(text: string): readonly string[] {
  return text.match(/[\p{L}\p{N}_]+|\s+|./gsu) ?? [];
}
