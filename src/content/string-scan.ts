import { hiddenSpans } from './hidden-text.ts';
import { cardSpans, emailSpans, ibanSpans, phoneSpans, ssnSpans, type PersonalData } from './personal-data.ts';
import { createSecretMatcher, type Work } from './secret-matcher.ts';
import type { RuleSet } from './secret-rules.ts';
import type { Span } from './span.ts';
import { createSurvey, seen } from './text-survey.ts';

/** What is looked for. */
export interface ScanOptions {
  readonly secrets: boolean;
  readonly personalData: readonly PersonalData[];
  readonly hiddenText: boolean;
}

/** What was found in a string and in the name that it goes by; offsets of `key` and of `value` each from its own start. */
export interface StringFindings {
  readonly key: readonly Span[];
  readonly value: readonly Span[];
}

/**
 * Scans one string. `key` is the name that the string goes by, or `''`: `api_key` beside a value is context that the value alone lacks.
 * Answers `undefined` where nothing was found, after one pass over the text.
 * `withSecrets: false` leaves secrets aside, which is where the work is.
 */
export type StringScan = (key: string, value: string, work: Work, withSecrets?: boolean) => StringFindings | undefined;

/** Builds the scan of one string from the detectors that are switched on. */
export function createStringScan(options: ScanOptions, rules: RuleSet): StringScan {
  const secrets = options.secrets ? createSecretMatcher(rules) : undefined;
  const wanted = new Set(options.personalData);
  const digitRow = wanted.has('phone') ? 7 : 9;
  const survey = createSurvey(secrets?.keywords ?? [], wanted.size === 0 ? Infinity : digitRow);
  const hits: number[] = [];

  const plain = (text: string, key: string, flags: number): Span[] => {
    const found: (readonly Span[])[] = [];
    if (options.hiddenText && (flags & seen.hidden) !== 0) found.push(hiddenSpans(text));
    if (wanted.has('email') && (flags & seen.at) !== 0) found.push(emailSpans(text));
    if ((flags & seen.digits) === 0) return found.flat();
    if (wanted.has('card')) found.push(cardSpans(text));
    if (wanted.has('ssn')) found.push(ssnSpans(text, key));
    if (wanted.has('iban')) found.push(ibanSpans(text));
    if (wanted.has('phone')) found.push(phoneSpans(text));
    return found.flat();
  };

  return (key, value, work, withSecrets = true) => {
    hits.length = 0;
    const keyFlags = survey(key, 0, hits);
    const keyHits = hits.length;
    // A name without a keyword is no context: the value is then looked at alone.
    const offset = keyHits === 0 ? 0 : key.length + 1;
    const flags = survey(value, offset, hits);
    if (keyFlags === 0 && flags === 0 && hits.length === 0) return undefined;
    const inKey = plain(key, '', keyFlags);
    const inValue = plain(value, key, flags);
    if (withSecrets && secrets !== undefined && hits.length > 0) {
      const text = offset === 0 ? value : `${key}=${value}`;
      for (const { detector, start, end } of secrets.match(text, hits, work)) {
        if (start < offset - 1) inKey.push({ detector, start, end: Math.min(end, key.length) });
        if (end > offset) inValue.push({ detector, start: Math.max(0, start - offset), end: end - offset });
      }
    }
    return inKey.length === 0 && inValue.length === 0 ? undefined : { key: inKey, value: inValue };
  };
}
