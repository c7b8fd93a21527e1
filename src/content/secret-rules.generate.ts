/**
 * Makes `secret-rules.json` from the rule set of gitleaks: `node src/content/secret-rules.generate.ts`. Needs Go, which fetches and checks
 * the module; nothing else does, since the result is part of the source.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Allowance, RuleSet, SecretRule } from './secret-rules.ts';

const module = 'github.com/zricethezav/gitleaks/v8';
const version = 'v8.30.1';

type Table = Record<string, unknown> & { allowlists?: Table[] };

/** The tables of the file: `[allowlist]`, `[[rules]]` and `[[rules.allowlists]]`. Only the part of TOML that gitleaks writes is read. */
function readToml(text: string): { allowlist: Table; rules: Table[] } {
  const allowlist: Table = {};
  const rules: Table[] = [];
  let table: Table = {};
  const token = /#[^\n]*|'''([\s\S]*?)'''|"((?:[^"\\\n]|\\.)*)"|\[\[[\w.]+\]\]|^\[\w+\]|[\w.]+|[=[\],]|\s+/gmy;
  const next = (): RegExpExecArray | null => {
    let match = token.exec(text);
    while (match !== null && /^(?:\s|#)/.test(match[0])) match = token.exec(text);
    return match;
  };
  const read = (match: RegExpExecArray | null): unknown => {
    if (match === null) throw new SyntaxError('the file ends inside a value');
    if (match[0] === '[') {
      const items: unknown[] = [];
      for (let item = next(); item?.[0] !== ']'; item = next()) if (item?.[0] !== ',') items.push(read(item));
      return items;
    }
    return match[1] ?? (match[2] === undefined ? Number(match[0]) : (JSON.parse(`"${match[2]}"`) as string));
  };
  for (let match = next(); match !== null; match = next()) {
    if (match[0] === '[allowlist]') table = allowlist;
    else if (match[0] === '[[rules]]') rules.push((table = {}));
    else if (match[0] === '[[rules.allowlists]]') {
      const rule = rules.at(-1);
      if (rule === undefined) throw new SyntaxError('an allow list stands before the first rule');
      (rule.allowlists ??= []).push((table = {}));
    } else {
      if (next()?.[0] !== '=') throw new SyntaxError(`\`${match[0]}\` has no value`);
      table[match[0]] = read(next());
    }
    if (token.lastIndex === 0 || token.lastIndex >= text.length) break;
  }
  if (rules.length < 200) throw new SyntaxError(`only ${rules.length} rules were read`);
  return { allowlist, rules };
}

/** What of an allow list can apply to a message: it has no path and no commit, so a list that also needs one of these never applies. */
function allowance(table: Table): Allowance | undefined {
  const needsPath = table['condition'] === 'AND' && (table['paths'] !== undefined || table['commits'] !== undefined);
  const regexes = (table['regexes'] ?? []) as string[];
  const stopwords = ((table['stopwords'] ?? []) as string[]).map((word) => word.toLowerCase());
  if (needsPath || (regexes.length === 0 && stopwords.length === 0)) return undefined;
  return {
    ...(table['regexTarget'] === undefined ? {} : { target: table['regexTarget'] as 'match' | 'line' }),
    ...(table['condition'] === 'AND' ? { all: true } : {}),
    ...(regexes.length === 0 ? {} : { regexes }),
    ...(stopwords.length === 0 ? {} : { stopwords }),
  };
}

/** Patterns that reach over white space or far: a private key, a command with its headers, a configuration file. */
const reach: Record<string, number> = {
  'private-key': 16384,
  'curl-auth-header': 4096,
  'curl-auth-user': 4096,
  'kubernetes-secret-yaml': 1024,
  'nuget-config-password': 1024,
  'freemius-secret-key': 256,
};

/** Rules whose keywords are how a secret begins, though the pattern spells them in another way. */
const tokens = /^(?:authress|cloudflare-origin|facebook-page|github-app|harness|intra42|slack|stripe)-/;

/** How all rules of the form `name = value` go on after the name. */
const assignment = String.raw`)(?:[ \t\w.-]{0,20})[\s'"]{0,3}(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)[\x60'"\s=]{0,5}(`;

/** Where a keyword stands with regard to the secret: it tells which part of a text a match can lie in. */
function form(id: string, regex: string, keywords: readonly string[]): Pick<SecretRule, 'form' | 'reach'> {
  if (reach[id] !== undefined) return { form: 'wide', reach: reach[id] };
  const head = regex.split(assignment)[0] ?? '';
  const name = head === regex ? undefined : head.slice(head.indexOf('(?:') + 3);
  if (name !== undefined) {
    const pattern = new RegExp(`^(?:${name.replaceAll('(?-i:', '(?:')})`, 'i');
    const inName = keywords.every((word) => name.toLowerCase().includes(word) || pattern.test(word));
    return inName ? { form: 'assignment' } : { form: 'near' };
  }
  if (tokens.test(id)) return { form: 'token' };
  if (regex.includes('(?:=|>|:{1,3}=')) return { form: 'near' };
  const literal = regex.toLowerCase().replaceAll('\\', '');
  return keywords.every((word) => literal.includes(word)) ? { form: 'token' } : { form: 'near' };
}

function rule(table: Table): SecretRule {
  const regex = table['regex'] as string;
  const keywords = (table['keywords'] as string[]).map((word) => word.toLowerCase());
  const allow = (table.allowlists ?? []).map(allowance).filter((list) => list !== undefined);
  return {
    id: table['id'] as string,
    regex,
    keywords,
    ...form(table['id'] as string, regex, keywords),
    ...(table['secretGroup'] === undefined ? {} : { group: table['secretGroup'] as number }),
    ...(table['entropy'] === undefined ? {} : { entropy: table['entropy'] as number }),
    ...(allow.length === 0 ? {} : { allow }),
  };
}

const download = execFileSync('go', ['mod', 'download', '-json', `${module}@${version}`], { encoding: 'utf8' });
const { Dir: folder } = JSON.parse(download) as { Dir: string };
const { allowlist, rules } = readToml(readFileSync(join(folder, 'config/gitleaks.toml'), 'utf8'));
const global = allowance(allowlist);
const set: RuleSet = {
  source: `${module} ${version}, config/gitleaks.toml, MIT licence, copyright 2019 Zachary Rice`,
  allow: global === undefined ? [] : [global],
  // A rule without a pattern is about a file's name.
  rules: rules.filter((table) => table['regex'] !== undefined).map(rule),
};
writeFileSync(new URL('secret-rules.json', import.meta.url), `${JSON.stringify(set, undefined, 1)}\n`);
