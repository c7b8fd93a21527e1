/** A place in the configuration: keys and indices from the root. */
export type Path = readonly (string | number)[];

/** One thing that is wrong, and what to do about it. */
export interface Problem {
  readonly path: Path;
  /** Whether the key or the value is wrong; the position follows it. Default: the value. */
  readonly at?: 'key' | 'value';
  readonly message: string;
}

/** `issuers[0].claims.groups`; a key that would not read well is quoted. The root is `(file)`. */
export function pathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z0-9_-]+$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text === '' ? '(file)' : text;
}

/** Names in backticks: `a`, `b` and `c`. */
export function listed(names: readonly string[], last = 'and'): string {
  const quoted = names.map((name) => `\`${name}\``);
  const tail = quoted.pop() ?? 'none';
  return quoted.length === 0 ? tail : `${quoted.join(', ')} ${last} ${tail}`;
}
