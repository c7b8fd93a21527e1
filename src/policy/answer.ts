import { effects, type Entrypoint } from '../model/decision.ts';

type Check = (value: unknown) => string | undefined;

/**
 * Checks what an entrypoint answered; gives `undefined` when it fits, else words that name the place. It accepts what
 * `policies/schemas/decision.json` accepts, which a property test holds it to, except integers beyond 2^53: those were rounded when they
 * were parsed. Written out because a worker that loads a schema compiler costs 6 MB more and starts later.
 */
export function checkAnswer(entry: Entrypoint, value: unknown): string | undefined {
  if (entry === 'gateway/list') return checkList(value);
  return entry === 'gateway/mask' ? checkMask(value) : checkDecision(value);
}

const text: Check = (value) => (typeof value === 'string' ? undefined : ' must be a string');
const filled: Check = (value) => (typeof value === 'string' && value !== '' ? undefined : ' must be a string that is not empty');
const pointer: Check = (value) => (typeof value === 'string' && value.startsWith('/') ? undefined : ' must be a JSON Pointer');
const effect: Check = (value) => (effects.some((known) => known === value) ? undefined : ' must be a known effect');
const flag: Check = (value) => (typeof value === 'boolean' ? undefined : ' must be a boolean');
const integer =
  (least: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least ? undefined : ` must be an integer from ${least}`;

const oneOf = (...allowed: readonly unknown[]): Check => {
  const words = allowed.map((item) => JSON.stringify(item)).join(', ');
  return (value) => (allowed.includes(value) ? undefined : ` must be one of ${words}`);
};

const listOf =
  (item: Check): Check =>
  (value) => {
    if (!Array.isArray(value)) return ' must be an array';
    for (let index = 0; index < value.length; index++) {
      const wrong = item(value[index]);
      if (wrong !== undefined) return `/${index}${wrong}`;
    }
    return undefined;
  };

const atLeastOne =
  (list: Check): Check =>
  (value) =>
    list(value) ?? ((value as unknown[]).length > 0 ? undefined : ' must not be empty');

const unique =
  (list: Check): Check =>
  (value) =>
    list(value) ?? (new Set(value as unknown[]).size === (value as unknown[]).length ? undefined : ' must not hold a value twice');

/** An object with these fields and no others; a name that ends in `?` may be absent. */
const object = (shape: Readonly<Record<string, Check>>): Check => {
  const checks = new Map(Object.entries(shape).map(([name, check]) => [name.replace(/\?$/, ''), check]));
  const required = Object.keys(shape).filter((name) => !name.endsWith('?'));
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return ' must be an object';
    for (const name of required) if (!Object.hasOwn(value, name)) return ` must have \`${name}\``;
    for (const name in value) {
      const check = checks.get(name);
      if (check === undefined) return ` must not have \`${name}\``;
      const wrong = check((value as Record<string, unknown>)[name]);
      if (wrong !== undefined) return `/${name}${wrong}`;
    }
    return undefined;
  };
};

const reasonShape = { rule: filled, effect, message: text, 'hint?': text, 'severity?': text, 'owner?': text };

const redactionFields = object({
  rule: text,
  'pointer?': pointer,
  'detector?': filled,
  as: oneOf('mask', 'hash', 'drop', 'replace'),
  'with?': text,
});
const redaction: Check = (value) => {
  const wrong = redactionFields(value);
  if (wrong !== undefined) return wrong;
  const has = (name: string): boolean => Object.hasOwn(value as object, name);
  return has('pointer') === has('detector') ? ' must have exactly one of `pointer` and `detector`' : undefined;
};

const termShape = { quorum: integer(1), expires_s: integer(1), allow_self: flag };
const approvalTerms = object({
  ...termShape,
  groups: listOf(text),
  rules: atLeastOne(listOf(text)),
  terms: atLeastOne(listOf(object({ ...termShape, rule: text, groups: atLeastOne(listOf(text)) }))),
});

const decisionFields = object({
  version: oneOf(1),
  effect,
  reasons: listOf(object(reasonShape)),
  redactions: listOf(redaction),
  approval: (value) => (value === null ? undefined : approvalTerms(value)),
  labels: unique(listOf(text)),
  limits: listOf(object({ rule: text, key: filled, max: integer(0), per_s: integer(1) })),
  dry_run: listOf(object({ ...reasonShape, enforcement: oneOf('warn', 'dry_run') })),
});

/** What an effect must come with, and must not. */
const checkDecision: Check = (value) => {
  const wrong = decisionFields(value);
  if (wrong !== undefined) return wrong;
  const {
    effect: is,
    approval,
    reasons,
    redactions,
  } = value as { effect: string; approval: unknown; reasons: unknown[]; redactions: unknown[] };
  if ((is === 'require_approval') !== (approval !== null))
    return '/approval must be there where effect is `require_approval`, and else null';
  if ((is === 'deny' || is === 'require_approval') && reasons.length === 0) return `/reasons must not be empty where effect is \`${is}\``;
  if (is === 'redact' && redactions.length === 0) return '/redactions must not be empty where effect is `redact`';
  if (is === 'allow' && redactions.length > 0) return '/redactions must be empty where effect is `allow`';
  return undefined;
};

const checkList = object({ version: oneOf(1), visible: unique(listOf(text)) });
const checkMask = object({ version: oneOf(1), redactions: listOf(redaction), 'drop?': flag });
