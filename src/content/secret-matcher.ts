import { RE2JS } from 're2js';
import type { Allowance, RuleSet, SecretRule } from './secret-rules.ts';
import { anchorOf, keywordUse, windowOf, type Window } from './secret-window.ts';
import type { Span } from './span.ts';
import { createSurvey } from './text-survey.ts';

/** Work left, in characters that a pattern may still look at. At zero nothing more is matched, and the scan is incomplete. */
export interface Work {
  left: number;
}

/** Finds secrets around the keywords that a survey found. */
export interface SecretMatcher {
  readonly keywords: readonly string[];
  /** `hits` has pairs: the keyword's index, its place in `text`. */
  match(text: string, hits: readonly number[], work: Work): Span[];
}

/** The automaton that finds where a match lies costs so many times the one that tells whether there is any; the first is for `name = value`. */
const locateCost = { named: 12, other: 60 } as const;
const hitCost = 16;

const generic = 'secret.generic-api-key';

/**
 * The rules of gitleaks over RE2, which is linear in the text. A pattern is compiled when a text first has one of its keywords, and looks
 * only at the part of the text around the keyword in which a match can lie.
 */
export function createSecretMatcher(set: RuleSet): SecretMatcher {
  const rules = set.rules.map(compileLazily);
  const everywhere = set.allow.map(allowanceOf);
  const keywords = [...new Set(set.rules.flatMap((rule) => rule.keywords))];
  const usedBy = keywords.map((keyword) =>
    rules.filter(({ rule }) => rule.keywords.includes(keyword)).map((compiled) => ({ compiled, use: keywordUse(compiled.rule, keyword) })),
  );
  return {
    keywords,
    match(text, hits, work) {
      const windows = new Map<CompiledRule, Window[]>();
      for (let i = 0; i < hits.length; i += 2) {
        const at = hits[i + 1] as number;
        for (const { compiled, use } of usedBy[hits[i] as number] ?? []) {
          work.left -= hitCost;
          if (work.left < 0) return [];
          const anchor = anchorOf(use, text, at);
          if (anchor === -1) continue;
          const known = windows.get(compiled);
          const last = known?.at(-1);
          const window = windowOf(use, text, at, anchor, last?.end ?? 0);
          if (window === undefined) continue;
          if (last !== undefined && window.start <= last.end) last.end = Math.max(last.end, window.end);
          else if (known !== undefined) known.push(window);
          else windows.set(compiled, [window]);
        }
      }
      const spans: Span[] = [];
      for (const [compiled, places] of windows) {
        for (const { start, end } of places)
          for (const span of findIn(compiled, text.slice(start, end), start, everywhere, work)) spans.push(span);
      }
      return withoutGenericTwins(spans);
    },
  };
}

/**
 * How the pattern of most assignments begins. It only says where a match starts, and makes finding one eight times as slow: so it is left
 * out, and the match is prolonged over the name afterwards.
 */
const namePrefix = String.raw`[\w.-]{0,50}?`;
const nameBefore = /[\w.-]{0,50}$/;

interface CompiledRule {
  readonly rule: SecretRule;
  readonly named: boolean;
  readonly regex: () => RE2JS;
  readonly allow: () => readonly Allowed[];
}

type Allowed = (secret: string, match: string, line: string) => boolean;

function compileLazily(rule: SecretRule): CompiledRule {
  let regex: RE2JS | undefined;
  let allow: readonly Allowed[] | undefined;
  const named = rule.regex.startsWith(`(?i)${namePrefix}`);
  return {
    rule,
    named,
    regex: () => (regex ??= RE2JS.compile(named ? rule.regex.replace(namePrefix, '') : rule.regex)),
    allow: () => (allow ??= (rule.allow ?? []).map(allowanceOf)),
  };
}

function allowanceOf(list: Allowance): Allowed {
  let regexes: readonly RE2JS[] | undefined;
  const words = list.stopwords === undefined ? undefined : createSurvey(list.stopwords, Infinity);
  return (secret, match, line) => {
    const target = list.target === 'match' ? match : list.target === 'line' ? line : secret;
    const byPattern = (): boolean =>
      (regexes ??= (list.regexes ?? []).map((regex) => RE2JS.compile(regex))).some((regex) => regex.test(target));
    const byWord = (): boolean => {
      const hits: number[] = [];
      words?.(secret, 0, hits);
      return hits.length > 0;
    };
    return list.all === true ? byPattern() && byWord() : byWord() || byPattern();
  };
}

function findIn(
  { rule, named, regex, allow }: CompiledRule,
  text: string,
  offset: number,
  everywhere: readonly Allowed[],
  work: Work,
): Span[] {
  work.left -= text.length;
  if (work.left < 0 || !regex().test(text)) return [];
  const spans: Span[] = [];
  const matcher = regex().matcher(text);
  for (let from = 0; from < text.length;) {
    const before = from;
    work.left -= Math.min(text.length - from, 1024) * (named ? locateCost.named : locateCost.other);
    if (work.left < 0 || !matcher.find(from)) break;
    from = Math.max(matcher.end(), before + 1);
    const group = secretGroup(matcher, rule.group);
    const start = matcher.start(group);
    const secret = text.slice(start, matcher.end(group));
    if (rule.entropy !== undefined && entropy(secret) <= rule.entropy) continue;
    const name = named ? (nameBefore.exec(text.slice(Math.max(before, matcher.start() - 50), matcher.start()))?.[0].length ?? 0) : 0;
    const match = text.slice(matcher.start() - name, matcher.end());
    const lineStart = text.lastIndexOf('\n', Math.max(0, matcher.start() - 1)) + 1;
    const lineEnd = text.indexOf('\n', matcher.end());
    const line = text.slice(lineStart, lineEnd === -1 ? undefined : lineEnd);
    if ([...everywhere, ...allow()].some((allowed) => allowed(secret, match, line))) continue;
    spans.push({ detector: `secret.${rule.id}`, start: offset + start, end: offset + start + secret.length });
  }
  return spans;
}

/** The group that the rule names, else the first that matched, else the whole match: as gitleaks chooses. */
function secretGroup(matcher: ReturnType<RE2JS['matcher']>, named: number | undefined): number {
  if (named !== undefined) return named;
  for (let group = 1; group <= matcher.groupCount(); group++)
    if (matcher.start(group) !== -1 && matcher.end(group) > matcher.start(group)) return group;
  return 0;
}

/** Shannon entropy in bits a character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

/** A generic finding says nothing where a more exact rule found the same secret. */
function withoutGenericTwins(spans: Span[]): Span[] {
  if (spans.length < 2) return spans;
  const exact = spans.filter((span) => span.detector !== generic);
  return spans.filter((span) => span.detector !== generic || !exact.some((other) => other.start < span.end && span.start < other.end));
}
