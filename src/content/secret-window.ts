import type { SecretRule } from './secret-rules.ts';

/** A part of a text, the end not included. */
export interface Window {
  start: number;
  end: number;
}

/** One keyword of one rule, and how to tell from the text beside it whether a match can be there at all. */
export interface KeywordUse {
  readonly rule: SecretRule;
  /** What must stand at the keyword. */
  readonly gate: RegExp | undefined;
  readonly length: number;
  /** The keyword is part of the secret, so it stands in something as long as one. */
  readonly inToken: boolean;
}

/** A keyword of two characters is in every other word, so it needs more than its place. */
const gates: Readonly<Record<string, RegExp>> = {
  'jwt ey': /ey[a-zA-Z0-9]{17}/y,
  'vault-service-token s.': /s\.[a-zA-Z0-9]{24}/y,
  'twilio-api-key sk': /SK[0-9a-fA-F]{32}/y,
  'azure-ad-client-secret q~': /Q~[\w.~-]{31}/y,
  'sendgrid-api-token sg.': /SG\.[\w=.-]{66}/y,
  'octopus-deploy-api-key api-': /API-[A-Z0-9]{26}/y,
};

/** No secret of the rules is shorter, its prefix included. */
const minToken = 16;

/** The facts on a keyword of a rule. */
export function keywordUse(rule: SecretRule, keyword: string): KeywordUse {
  const last = keyword.charCodeAt(keyword.length - 1);
  const inToken = rule.form === 'token' || (rule.form === 'near' && (!isWordPart(last) || last === 0x5f));
  return { rule, gate: gates[`${rule.id} ${keyword}`], length: keyword.length, inToken };
}

/** The place from which {@link windowOf} measures, or -1 where no match of the rule can lie around its keyword at `at`. */
export function anchorOf(use: KeywordUse, text: string, at: number): number {
  if (use.rule.form === 'assignment') return assignedAt(text, at + use.length, use.rule.id === 'generic-api-key');
  if (use.gate !== undefined) {
    use.gate.lastIndex = at;
    return use.gate.test(text) ? at : -1;
  }
  // `secret` alone is a common word; a manifest says `kind: Secret`.
  if (use.rule.id === 'kubernetes-secret-yaml' && !/\bkind:[ \t]*["']?$/i.test(text.slice(Math.max(0, at - 16), at))) return -1;
  return at;
}

/**
 * The part of `text` in which a match around the keyword at `at` can lie, or `undefined` where there can be none. It begins and ends where
 * a token does, so that the pattern's word boundaries are real ones.
 * @param covered the end of the window that the same rule has before this one: what it covers is not measured again
 */
export function windowOf({ rule, inToken }: KeywordUse, text: string, at: number, anchor: number, covered: number): Window | undefined {
  if (rule.form === 'assignment') return { start: tokenStart(text, at, 64, covered), end: tokenEnd(text, anchor, covered) };
  if (rule.form === 'wide') return around(text, at - Math.min(rule.reach ?? 0, 512), at + (rule.reach ?? 0), covered);
  const start = tokenStart(text, at, 256, covered);
  const end = tokenEnd(text, at, covered);
  if (inToken && start > covered && end - start < minToken) return undefined;
  if (rule.form === 'token') return { start: Math.max(0, start - 1), end };
  return around(text, start - 256, end + 256, covered);
}

function around(text: string, from: number, to: number, covered: number): Window {
  return { start: tokenStart(text, Math.max(0, from), 256, covered), end: tokenEnd(text, Math.min(text.length, to), covered) };
}

/**
 * Where the value begins, if `from` is inside or after a name that something is assigned to: the rest of the name, quotes and white space,
 * an operator, quotes and white space, and then something as long as a secret; else -1.
 * @param generic the value must also have ten characters of the alphabet of keys and one that is no letter: gitleaks allows the others
 */
function assignedAt(text: string, from: number, generic: boolean): number {
  let i = from;
  const nameEnd = Math.min(text.length, from + 56);
  while (i < nameEnd && isNamePart(text.charCodeAt(i))) i++;
  if (!isOperator(text.charCodeAt(i))) return -1;
  const operatorEnd = Math.min(text.length, i + 9);
  while (i < operatorEnd && (isOperator(text.charCodeAt(i)) || isQuoteOrSpace(text.charCodeAt(i)))) i++;
  if (generic) return isGenericKey(text, i) ? i : -1;
  for (let j = i; j < i + 6; j++) {
    const c = text.charCodeAt(j);
    if (!(c > 0x20) || (isQuoteOrSpace(c) && c !== 0x22)) return -1;
  }
  return i;
}

function isGenericKey(text: string, start: number): boolean {
  let onlyLetters = true;
  let end = start;
  for (; end < start + 256; end++) {
    const c = text.charCodeAt(end);
    if ((c >= 0x30 && c <= 0x39) || c === 0x3d || c === 0x2b || c === 0x2f) onlyLetters = false;
    else if (!isWordPart(c) && c !== 0x2e && c !== 0x2d) break;
  }
  return !onlyLetters && end - start >= 9;
}

function isWordPart(c: number): boolean {
  return (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a) || (c >= 0x30 && c <= 0x39) || c === 0x5f;
}

function isNamePart(c: number): boolean {
  return isWordPart(c) || c === 0x2e || c === 0x2d || isQuoteOrSpace(c);
}

function isOperator(c: number): boolean {
  return c === 0x3d || c === 0x3e || c === 0x3a || c === 0x7c || c === 0x2c || c === 0x3f;
}

function isQuoteOrSpace(c: number): boolean {
  return c === 0x20 || (c >= 0x09 && c <= 0x0d) || c === 0x22 || c === 0x27 || c === 0x60;
}

function isTokenEnd(c: number): boolean {
  return isQuoteOrSpace(c) || c === 0x3b || c === 0x3c;
}

function tokenStart(text: string, at: number, reach: number, covered: number): number {
  const floor = Math.max(0, at - reach, Math.min(at, covered));
  let start = at;
  while (start > floor && !isTokenEnd(text.charCodeAt(start - 1))) start--;
  return start;
}

/** The end of the token at `at`, with the two characters after it that may close a match. A token is at most 16,384 characters long. */
function tokenEnd(text: string, at: number, covered: number): number {
  let end = Math.max(at, covered - 2);
  const ceiling = Math.min(text.length, end + 16384);
  while (end < ceiling && !isTokenEnd(text.charCodeAt(end))) end++;
  return Math.min(text.length, end + 2);
}
