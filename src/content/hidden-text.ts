import type { Span } from './span.ts';

// Each pattern is linear: one class, or parts that end at the next escape character.
const patterns: readonly (readonly [string, RegExp])[] = [
  ['hidden.bidi', /[\u202a-\u202e\u2066-\u2069]/g],
  // Joiners are part of emoji and of several scripts: they are hidden text only between plain characters.
  ['hidden.zero-width', /[\u200b\u2060-\u2064\ufeff\u180e]|(?<=[!-~])[\u200c\u200d]+(?=[!-~])|[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]{2,}/gu],
  ['hidden.ansi', /(?:\u001b\[|\u009b)[0-?]{0,64}[ -/]{0,8}[@-~]?|\u001b[\]PX^_][^\u0007\u001b]{0,4096}(?:\u0007|\u001b\\)?|\u001b[ -~]?/g],
  ['hidden.unicode-tag', /[\u{e0000}-\u{e007f}]+/gu],
];

/** The tags of an emoji flag (England, Scotland, Wales): a black flag before, a cancel tag at the end. */
const flagTags = /^[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{1,6}\u{e007f}$/u;

/** Text that a reader does not see: bidirectional overrides, zero-width characters, terminal sequences, Unicode tags. */
export function hiddenSpans(text: string): Span[] {
  const spans: Span[] = [];
  for (const [detector, pattern] of patterns) {
    for (const { 0: found, index } of text.matchAll(pattern)) {
      if (detector === 'hidden.unicode-tag' && flagTags.test(found) && text.startsWith('\u{1f3f4}', index - 2)) continue;
      spans.push({ detector, start: index, end: index + found.length });
    }
  }
  return spans;
}
