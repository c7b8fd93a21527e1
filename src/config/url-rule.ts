import type { UrlRule } from './schema.ts';

/** True for `localhost`, its subdomains, 127.0.0.0/8 and ::1, with or without brackets. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  return bare === 'localhost' || bare.endsWith('.localhost') || bare === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(bare);
}

/** What is wrong with a URL under a rule, or `undefined`. The URL itself is not repeated: it may hold a password. */
export function urlProblem(text: string, rule: UrlRule): string | undefined {
  const url = URL.parse(text);
  if (url === null) return `must be a URL such as \`${rule === 'origin' ? 'https://mcp.example.com' : 'https://example.com/path'}\``;
  if (url.username !== '' || url.password !== '')
    return 'a URL here has no user and password; put the secret under a key that takes `{env: NAME}`';
  if (url.hash !== '' || text.includes('#')) return 'a URL here has no fragment; remove it from `#` on';
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must be an http or https URL';
  if (rule === 'http') return undefined;
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) return 'must be an https URL; plain http is accepted for loopback only';
  if (rule === 'https') return url.search === '' ? undefined : 'a URL here has no query; remove it from `?` on';
  return text === url.origin ? undefined : `must be an origin, without a path or a slash at the end; write \`${url.origin}\``;
}
