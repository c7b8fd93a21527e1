import type { JsonObject } from '../../src/model/json.ts';

type Kind = 'integer' | 'timestamp' | 'string' | 'object' | 'strings' | 'objects';
type Attribute = readonly [kind: Kind, needed: boolean, values?: readonly number[] | undefined, members?: Table];
interface Table {
  readonly [attribute: string]: Attribute;
}

/** Required and other attributes of API Activity, and of the objects in it, as the published schema of OCSF 1.3.0 has them. */
const product: Table = { name: ['string', false], vendor_name: ['string', true], version: ['string', false] };
const metadata: Table = {
  version: ['string', true],
  product: ['object', true, undefined, product],
  uid: ['string', false],
  sequence: ['integer', false],
  log_name: ['string', false],
  tenant_uid: ['string', false],
  event_code: ['string', false],
  original_time: ['string', false],
  correlation_uid: ['string', false],
  profiles: ['strings', false],
};
const actor: Table = {
  user: ['object', false],
  session: ['object', false],
  app_uid: ['string', false],
  app_name: ['string', false],
};
const api: Table = {
  operation: ['string', true],
  service: ['object', false, undefined, { name: ['string', false] }],
  request: ['object', false, undefined, { uid: ['string', true] }],
  response: ['object', false, undefined, { error: ['string', false], message: ['string', false] }],
};
const severities = [0, 1, 2, 3, 4, 5, 6, 99];
const apiActivity: Table = {
  activity_id: ['integer', true, [0, 1, 2, 3, 4, 99]],
  activity_name: ['string', false],
  category_uid: ['integer', true, [6]],
  category_name: ['string', false],
  class_uid: ['integer', true, [6003]],
  class_name: ['string', false],
  type_uid: ['integer', true, [600300, 600301, 600302, 600303, 600304, 600399]],
  type_name: ['string', false],
  time: ['timestamp', true],
  severity_id: ['integer', true, severities],
  severity: ['string', false],
  status_id: ['integer', false, [0, 1, 2, 99]],
  status: ['string', false],
  status_code: ['string', false],
  status_detail: ['string', false],
  message: ['string', false],
  duration: ['integer', false],
  metadata: ['object', true, undefined, metadata],
  actor: ['object', true, undefined, actor],
  api: ['object', true, undefined, api],
  src_endpoint: ['object', true, undefined, { ip: ['string', false], name: ['string', false] }],
  dst_endpoint: ['object', false, undefined, { svc_name: ['string', false] }],
  resources: ['objects', false, undefined, { name: ['string', false], type: ['string', false], uid: ['string', false] }],
  // Profile security_control.
  action_id: ['integer', false, [0, 1, 2, 99]],
  action: ['string', false],
  disposition_id: [
    'integer',
    false,
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 99],
  ],
  disposition: ['string', false],
  policy: ['object', false, undefined, { name: ['string', false], uid: ['string', false], version: ['string', false] }],
  unmapped: ['object', false],
};

/** What is wrong with an event, a line each. */
export function ocsfProblems(event: JsonObject): string[] {
  const problems = problemsOf(event, apiActivity, '');
  if (event['type_uid'] !== (event['class_uid'] as number) * 100 + (event['activity_id'] as number))
    problems.push('type_uid is not class_uid * 100 + activity_id');
  if (event['activity_id'] === 99 && typeof event['activity_name'] !== 'string') problems.push('another activity needs its name');
  return problems;
}

function problemsOf(value: unknown, table: Table, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [`${path} is no object`];
  const given = value as Record<string, unknown>;
  const problems = Object.keys(given).flatMap((key) => (Object.hasOwn(table, key) ? [] : [`${path}${key} is no attribute here`]));
  for (const [key, [kind, needed, values, members]] of Object.entries(table)) {
    const item = given[key];
    const at = `${path}${key}`;
    if (item === undefined) {
      if (needed) problems.push(`${at} is missing`);
      continue;
    }
    if (!fits(kind, item)) problems.push(`${at} is no ${kind}`);
    else if (values !== undefined && !values.includes(item as number)) problems.push(`${at} cannot be ${JSON.stringify(item)}`);
    else if (members !== undefined)
      for (const one of kind === 'objects' ? (item as unknown[]) : [item]) problems.push(...problemsOf(one, members, `${at}.`));
  }
  return problems;
}

function fits(kind: Kind, value: unknown): boolean {
  switch (kind) {
    case 'integer':
      return Number.isInteger(value);
    case 'timestamp':
      return Number.isInteger(value) && (value as number) > 0;
    case 'string':
      return typeof value === 'string' && value !== '';
    case 'strings':
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
    case 'objects':
      return Array.isArray(value) && value.every((item) => typeof item === 'object');
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return kind satisfies never;
  }
}
