/**
 * What is wrong with an event of a decision log, a line each: the fields and types of OPA's documented schema, and no others than it names or
 * leaves to the sender.
 * @see https://www.openpolicyagent.org/docs/management-decision-logs
 */
export function decisionLogProblems(event: unknown): string[] {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return ['an event is an object'];
  const given = event as Record<string, unknown>;
  const problems: string[] = [];
  for (const [name, { needed, fits }] of Object.entries(fields)) {
    const value = given[name];
    if (value === undefined) {
      if (needed) problems.push(`\`${name}\` is missing`);
    } else if (!fits(value)) problems.push(`\`${name}\` cannot be ${JSON.stringify(value)}`);
  }
  for (const name of Object.keys(given)) if (!Object.hasOwn(fields, name)) problems.push(`\`${name}\` is no field of an event`);
  return problems;
}

interface Field {
  readonly needed: boolean;
  readonly fits: (value: unknown) => boolean;
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
const isPointers = (value: unknown): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === 'string' && /^\/(input|result|nd_builtin_cache)(\/|$)/.test(item));

const fields: Readonly<Record<string, Field>> = {
  labels: {
    needed: true,
    fits: (value) =>
      isObject(value) &&
      Object.values(value as object).every(isText) &&
      isText((value as { id?: unknown }).id) &&
      isText((value as { version?: unknown }).version),
  },
  decision_id: { needed: true, fits: isText },
  trace_id: { needed: false, fits: (value) => typeof value === 'string' && /^[0-9a-f]{32}$/.test(value) },
  span_id: { needed: false, fits: (value) => typeof value === 'string' && /^[0-9a-f]{16}$/.test(value) },
  revision: { needed: false, fits: isText },
  bundles: {
    needed: true,
    fits: (value) =>
      isObject(value) && Object.values(value as object).every((bundle) => isText((bundle as { revision?: unknown }).revision)),
  },
  path: { needed: true, fits: (value) => typeof value === 'string' && /^[^/]/.test(value) },
  query: { needed: false, fits: isText },
  input: { needed: false, fits: () => true },
  result: { needed: true, fits: () => true },
  requested_by: { needed: false, fits: isText },
  req_id: { needed: false, fits: Number.isInteger },
  timestamp: { needed: true, fits: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/.test(value) },
  metrics: {
    needed: true,
    fits: (value) =>
      isObject(value) &&
      Object.entries(value as object).every(([name, number]) => /^(timer|counter|histogram)_/.test(name) && Number.isInteger(number)),
  },
  erased: { needed: false, fits: isPointers },
  masked: { needed: false, fits: isPointers },
  nd_builtin_cache: { needed: false, fits: isObject },
  intermediate_results: { needed: false, fits: isObject },
  request_context: { needed: false, fits: isObject },
  error: { needed: false, fits: (value) => isObject(value) && isText((value as { message?: unknown }).message) },
  custom: { needed: false, fits: isObject },
};
