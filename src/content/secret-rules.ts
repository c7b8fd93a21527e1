import { readFileSync } from 'node:fs';

/** What makes a match harmless: a pattern or a stop word that the secret (or the match, or its line) has. */
export interface Allowance {
  readonly target?: 'match' | 'line';
  /** Both a pattern and a stop word are needed. */
  readonly all?: boolean;
  /** RE2 syntax. */
  readonly regexes?: readonly string[];
  /** Lower case; looked for in the secret, whatever the target. */
  readonly stopwords?: readonly string[];
}

/** One kind of secret, as gitleaks describes it. */
export interface SecretRule {
  readonly id: string;
  /** RE2 syntax. */
  readonly regex: string;
  /** Lower case; a text without any of them has no match. */
  readonly keywords: readonly string[];
  /**
   * Where a match lies: `assignment`, `name = value` with the keyword in the name; `token`, the keyword is part of the secret, which has
   * no white space; `near`, somewhere around the keyword; `wide`, up to `reach` characters after it.
   */
  readonly form: 'assignment' | 'token' | 'near' | 'wide';
  readonly reach?: number;
  /** The group that holds the secret; else the first group that matched, else the whole match. */
  readonly group?: number;
  /** Shannon entropy in bits a character that the secret must exceed. */
  readonly entropy?: number;
  readonly allow?: readonly Allowance[];
}

/** The whole set; `secret-rules.json` has this shape. */
export interface RuleSet {
  readonly source: string;
  readonly allow: readonly Allowance[];
  readonly rules: readonly SecretRule[];
}

/** Reads the rule set that ships with the gateway. */
export function loadRules(): RuleSet {
  return JSON.parse(readFileSync(new URL('secret-rules.json', import.meta.url), 'utf8')) as RuleSet;
}
