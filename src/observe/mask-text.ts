const masked = '[redacted]';
const maxScanChars = 16_384;

/**
 * What a secret looks like in running text, in the order in which it is looked for. Each keeps what says which kind it was.
 * Names are matched as parts of longer ones (`client_secret`, `x-api-key`).
 */
const shapes: readonly { readonly pattern: RegExp; readonly by: string }[] = [
  { pattern: /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g, by: masked },
  { pattern: /\beyJ[A-Za-z0-9_-]{3,}(?:\.[A-Za-z0-9_-]*){1,4}/g, by: masked },
  { pattern: /\b(Bearer|DPoP|Negotiate)\s+[^\s"',;\\]+/gi, by: `$1 ${masked}` },
  { pattern: /\b(Basic)\s+[A-Za-z0-9+/=_-]{8,}/gi, by: `$1 ${masked}` },
  { pattern: /:\/\/[^\s/?#@"'\\]+@/g, by: `://${masked}@` },
  // A header as text: all of its line.
  { pattern: /\b((?:proxy-)?authorization|(?:set-)?cookie)(\s*:\s*)(?!\s|\[redacted\])[^\r\n"\\]+/gi, by: `$1$2${masked}` },
  // A JSON member or a quoted value.
  {
    pattern:
      /((?:password|passwd|secret|token|api[_-]?key|authorization|cookie|credential|private[_-]?key|assertion|code_verifier)[\w-]{0,20}\\?["']\s{0,4}:\s{0,4}\\?)(["'])(?:[^"'\\]|\\[^"'])*/gi,
    by: `$1$2${masked}`,
  },
  // A parameter of a query or a form, a setting, an option of a command line.
  {
    pattern:
      /((?:password|passwd|pwd|secret|token|api[_-]?key|authorization|cookie|credential|private[_-]?key|assertion|code_verifier|signature|\bsig|\bcode|\bkey)[\w-]{0,20}\s?=\s?)(?!\[redacted\])("[^"]*"|'[^']*'|[^\s&"',;}\])]+)/gi,
    by: `$1${masked}`,
  },
  { pattern: /\b((?:password|passwd|secret|api[_-]?key)\s?:\s?)(?!\[redacted\])[^\s,;"'}\]]+/gi, by: `$1${masked}` },
  { pattern: /\b(token\s?:\s?)(?!\[redacted\])[A-Za-z0-9._~+/=-]{16,}/gi, by: `$1${masked}` },
  // Keys that carry their kind in their first letters, our own API keys among them.
  { pattern: /\b(cst_|gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-|AKIA|npm_)[A-Za-z0-9_-]{12,}/g, by: `$1${masked}` },
];

/** Masks what looks like a secret, and every one of `known`. Text beyond 16384 characters is dropped, so a secret is never cut in half. */
export function maskText(text: string, known: Iterable<string> = []): string {
  let result = text.length > maxScanChars ? text.slice(0, maxScanChars) : text;
  let cutInside = '';
  for (const secret of known) {
    result = result.replaceAll(secret, masked);
    if (text.length > maxScanChars) cutInside = longer(cutInside, overlap(result, secret));
  }
  if (cutInside !== '') result = result.slice(0, -cutInside.length);
  for (const { pattern, by } of shapes) result = result.replace(pattern, by);
  return result;
}

/** The longest beginning of `secret` that `text` ends with. */
function overlap(text: string, secret: string): string {
  for (let length = Math.min(secret.length - 1, text.length); length > 0; length--)
    if (text.endsWith(secret.slice(0, length))) return secret.slice(0, length);
  return '';
}

function longer(left: string, right: string): string {
  return right.length > left.length ? right : left;
}
