import { countrySpecs, isValidIBAN } from 'ibantools';
import type { Span } from './span.ts';

/** Kinds of personal data that can be looked for. */
export type PersonalData = 'email' | 'card' | 'ssn' | 'iban' | 'phone';

/** Addresses of electronic mail. */
export function emailSpans(text: string): Span[] {
  const spans: Span[] = [];
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    let start = at;
    while (start > 0 && at - start < 64 && isLocal(text.charCodeAt(start - 1))) start--;
    while (start < at && text[start] === '.') start++;
    let end = at + 1;
    while (end < text.length && end - at < 254 && isDomain(text.charCodeAt(end))) end++;
    while (end > at && /[.-]/.test(text[end - 1] ?? '')) end--;
    const local = text.slice(start, at);
    const domain = text.slice(at + 1, end);
    if (local === '' || !/^[^.-][^.]{0,62}\.(?:[^.]{1,63}\.){0,8}[a-z]{2,24}$/i.test(domain)) continue;
    // `git@host:path` is an address of a repository, `icon@2x.png` a picture.
    if (local === 'git' || /^\dx\.(?:png|jpe?g|gif|webp|svg)$/i.test(domain)) continue;
    spans.push({ detector: 'pii.email', start, end });
  }
  return spans;
}

function isLocal(c: number): boolean {
  return isDomain(c) || c === 0x5f || c === 0x25 || c === 0x2b || c === 0x27;
}

function isDomain(c: number): boolean {
  return isDigit(c) || isLetter(c) || c === 0x2e || c === 0x2d || (c >= 0xc0 && c < 0x2000);
}

/** First digits and lengths of the issuers' numbers. */
const issuers: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^(?:6011|65|64[4-9])/, [16, 19]],
  [/^3(?:0[0-5]|6|8|9)/, [14]],
  [/^35(?:2[89]|[3-8])/, [16]],
  [/^62/, [16, 17, 18, 19]],
];

/** How cards are written in groups; one group is any length. */
const groupings = new Set(['4-4-4-4', '4-4-4-4-3', '4-6-5', '4-6-4', '4-4-4-1', '6-13']);

/** Payment cards: the issuer's first digits, its length, the Luhn check, and groups as cards are printed. */
export function cardSpans(text: string): Span[] {
  const spans: Span[] = [];
  for (let start = nextDigit(text, 0); start < text.length;) {
    const firstEnd = digitsEnd(text, start);
    const end = cardEnd(text, start, firstEnd);
    if (end !== undefined) spans.push({ detector: 'pii.card', start, end });
    start = nextDigit(text, end ?? firstEnd);
  }
  return spans;
}

/** Where a card that begins with the group of digits at `start` ends. */
function cardEnd(text: string, start: number, firstEnd: number): number | undefined {
  // Part of a longer name or number is no card.
  if (firstEnd - start > 19 || isWord(text.charCodeAt(start - 1)) || text[start - 1] === '.') return undefined;
  let digits = text.slice(start, firstEnd);
  let shape = String(firstEnd - start);
  let end = firstEnd;
  for (let groups = 1; ; groups++) {
    if ((groups === 1 || groupings.has(shape)) && !isWord(text.charCodeAt(end)) && isCard(digits)) return end;
    const separator = text.charCodeAt(end);
    if (groups === 5 || (separator !== 0x20 && separator !== 0x2d) || !isDigit(text.charCodeAt(end + 1))) return undefined;
    const groupEnd = digitsEnd(text, end + 1);
    if (digits.length + groupEnd - end - 1 > 19) return undefined;
    digits += text.slice(end + 1, groupEnd);
    shape += `-${groupEnd - end - 1}`;
    end = groupEnd;
  }
}

function nextDigit(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isDigit(text.charCodeAt(at))) at++;
  return at;
}

function digitsEnd(text: string, from: number): number {
  let at = from;
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39;
}

function isLetter(c: number): boolean {
  return (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a);
}

function isWord(c: number): boolean {
  return isDigit(c) || isLetter(c) || c === 0x5f;
}

function isCard(digits: string): boolean {
  if (digits.length < 13 || !issuers.some(([prefix, lengths]) => lengths.includes(digits.length) && prefix.test(digits))) return false;
  if (/^(\d)\1+$/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const value = Number(digits[digits.length - 1 - i]);
    const doubled = i % 2 === 1 ? value * 2 : value;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Social security numbers: with hyphens anywhere; with spaces or bare only where the key or the words before speak of one. */
export function ssnSpans(text: string, key: string): Span[] {
  const spans: Span[] = [];
  for (const match of text.matchAll(/(?<![\w-])(\d{3})([- ]?)(\d{2})\2(\d{4})(?![\w-])/g)) {
    const [found, area = '', between, group, serial] = match;
    if (area === '000' || area === '666' || area.startsWith('9') || group === '00' || serial === '0000') continue;
    if (between !== '-' && !/ssn|social.{0,3}sec/i.test(`${key.slice(-64)} ${text.slice(Math.max(0, match.index - 40), match.index)}`))
      continue;
    spans.push({ detector: 'pii.ssn', start: match.index, end: match.index + found.length });
  }
  return spans;
}

/** Bank account numbers: the country's length and structure, and the mod-97 check. */
export function ibanSpans(text: string): Span[] {
  const spans: Span[] = [];
  for (const match of text.matchAll(/(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?=[ -]?[A-Za-z0-9])/g)) {
    if (match.index < (spans.at(-1)?.end ?? 0)) continue;
    const length = (countrySpecs as Record<string, { chars?: number | null } | undefined>)[match[0].slice(0, 2).toUpperCase()]?.chars ?? 0;
    let end = match.index;
    let account = '';
    while (account.length < length) {
      const c = text.charCodeAt(end);
      if (isDigit(c) || isLetter(c)) account += text.charAt(end);
      else if ((c !== 0x20 && c !== 0x2d) || end > match.index + 64) break;
      end++;
    }
    const next = text.charCodeAt(end);
    if (account.length !== length || length === 0 || isDigit(next) || isLetter(next)) continue;
    account = account.toUpperCase();
    if (hasCheckDigits(account) && isValidIBAN(account)) spans.push({ detector: 'pii.iban', start: match.index, end });
  }
  return spans;
}

/** The mod-97 check of ISO 7064; cheap, and 96 of 97 chance matches end here. */
function hasCheckDigits(account: string): boolean {
  let rest = 0;
  for (let i = 0; i < account.length; i++) {
    const value = parseInt(account.charAt((i + 4) % account.length), 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

const phones: readonly RegExp[] = [
  /(?<![\w+])\+\d{1,3}[ .-]?\(?\d{1,4}\)?(?:[ .-]?\d{2,4}){2,4}(?![\d])/g,
  /(?<![\w.+-])(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?![\w-])/g,
];

/** Telephone numbers: international ones with a plus sign, and North American ones in groups. */
export function phoneSpans(text: string): Span[] {
  return phones.flatMap((pattern) =>
    [...text.matchAll(pattern)]
      .filter(([found]) => /^\D*(?:\d\D*){8,15}$/.test(found))
      .map((match) => ({ detector: 'pii.phone', start: match.index, end: match.index + match[0].length })),
  );
}
