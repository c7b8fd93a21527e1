/** A claim: its name as it is, or a JSON Pointer (from `/` on) into a nested one, as `/realm_access/roles`. */
export type ClaimPath = string;

/** The value at `path`, own members only; `undefined` where there is none. */
export function claimAt(claims: Readonly<Record<string, unknown>>, path: ClaimPath): unknown {
  const steps = path.startsWith('/') ? path.slice(1).split('/').map(unescapeStep) : [path];
  let value: unknown = claims;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}

function unescapeStep(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}
