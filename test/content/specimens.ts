import { createHash } from 'node:crypto';

const lower = 'abcdefghijklmnopqrstuvwxyz';
const digits = '0123456789';
const upper = lower.toUpperCase();
const hex = `${digits}abcdef`;
const alnum = lower + upper + digits;

/** Characters that look drawn at random, the same ones each run: no secret is in the source, and no scanner of repositories finds one. */
export function draw(seed: string, alphabet: string, length: number): string {
  let text = '';
  for (let block = 0; text.length < length; block++) {
    for (const byte of createHash('sha512').update(`${seed} ${block}`).digest()) text += alphabet.charAt(byte % alphabet.length);
  }
  return text.slice(0, length);
}

/** Joined at run time, so that the prefix alone is in the source. */
const token = (id: string, prefix: string, alphabet: string, length: number, suffix = ''): string =>
  prefix + draw(id, alphabet, length) + suffix;

export interface Specimen {
  /** Rule that must find it. */
  readonly rule: string;
  readonly secret: string;
  /** Text that holds the secret as people write it; the secret alone where it is absent. */
  readonly text?: string;
  /** Only the name beside it makes it a secret. */
  readonly named?: string;
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const pem = (kind: string): string =>
  `-----BEGIN ${kind}PRIVATE KEY-----\n${draw(kind, `${alnum}+/`, 640).replace(/.{64}/g, '$&\n')}-----END ${kind}PRIVATE KEY-----`;

/** Secrets of services in the form that each gives out. */
export const specimens: readonly Specimen[] = [
  { rule: 'aws-access-token', secret: token('aws', 'AKIA', `${upper}234567`, 16) },
  { rule: 'aws-access-token', secret: token('asia', 'ASIA', `${upper}234567`, 16), text: 'aws_access_key_id=%s' },
  { rule: 'github-pat', secret: token('ghp', 'ghp_', alnum, 36) },
  { rule: 'github-oauth', secret: token('gho', 'gho_', alnum, 36) },
  { rule: 'github-app-token', secret: token('ghs', 'ghs_', alnum, 36) },
  { rule: 'github-fine-grained-pat', secret: token('ghf', 'github_pat_', alnum, 82) },
  { rule: 'gitlab-pat', secret: token('glpat', 'glpat-', alnum, 20) },
  { rule: 'gitlab-ptt', secret: token('glptt', 'glptt-', hex, 40) },
  { rule: 'slack-bot-token', secret: `xoxb-${draw('s1', digits, 12)}-${draw('s2', digits, 12)}-${draw('s3', alnum, 24)}` },
  {
    rule: 'slack-user-token',
    secret: `xoxp-${draw('u1', digits, 12)}-${draw('u2', digits, 12)}-${draw('u3', digits, 12)}-${draw('u4', alnum, 32)}`,
  },
  {
    rule: 'slack-webhook-url',
    secret: `https://hooks.slack.com/services/T${draw('w1', upper, 8)}/B${draw('w2', upper, 8)}/${draw('w3', alnum, 25)}`,
  },
  { rule: 'stripe-access-token', secret: token('stripe', 'sk_live_', alnum, 24) },
  { rule: 'stripe-access-token', secret: token('stripe2', 'rk_live_', alnum, 40) },
  { rule: 'openai-api-key', secret: `sk-${draw('o1', alnum, 20)}T3BlbkFJ${draw('o2', alnum, 20)}` },
  { rule: 'openai-api-key', secret: `sk-proj-${draw('o3', alnum, 74)}T3BlbkFJ${draw('o4', alnum, 74)}` },
  { rule: 'anthropic-api-key', secret: `sk-ant-api03-${draw('an', alnum, 93)}AA` },
  { rule: 'gcp-api-key', secret: token('gcp', 'AIza', alnum, 35) },
  { rule: 'sendgrid-api-token', secret: `SG.${draw('sg1', alnum, 22)}.${draw('sg2', alnum, 43)}` },
  { rule: 'npm-access-token', secret: token('npm', 'npm_', lower + digits, 36) },
  { rule: 'pypi-upload-token', secret: token('pypi', 'pypi-AgEIcHlwaS5vcmc', alnum, 120) },
  { rule: 'digitalocean-pat', secret: token('do', 'dop_v1_', hex, 64) },
  { rule: 'shopify-access-token', secret: token('shp', 'shpat_', hex, 32) },
  { rule: 'huggingface-access-token', secret: token('hf', 'hf_', lower, 34) },
  { rule: 'databricks-api-token', secret: token('db', 'dapi', hex, 32) },
  { rule: 'doppler-api-token', secret: token('dp', 'dp.pt.', lower + digits, 43) },
  { rule: 'vault-service-token', secret: token('hvs', 'hvs.', alnum, 95) },
  { rule: 'hashicorp-tf-api-token', secret: `${draw('tf1', alnum, 14)}.atlasv1.${draw('tf2', alnum, 64)}` },
  { rule: 'linear-api-key', secret: token('lin', 'lin_api_', lower + digits, 40) },
  { rule: 'notion-api-token', secret: `ntn_${draw('n1', digits, 11)}${draw('n2', alnum, 35)}` },
  { rule: 'grafana-service-account-token', secret: `glsa_${draw('g1', alnum, 32)}_${draw('g2', hex, 8)}` },
  { rule: 'twilio-api-key', secret: token('tw', 'SK', hex, 32) },
  { rule: 'postman-api-token', secret: `PMAK-${draw('p1', hex, 24)}-${draw('p2', hex, 34)}` },
  { rule: 'age-secret-key', secret: token('age', 'AGE-SECRET-KEY-1', 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L', 58) },
  { rule: 'azure-ad-client-secret', secret: `${draw('az1', alnum, 3)}7Q~${draw('az2', alnum, 31)}`, text: 'secret value: %s' },
  {
    rule: 'jwt',
    secret: `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url({ sub: '1234567890', name: 'a person', iat: 1516239022 })}.${draw('jwt', alnum, 43)}`,
  },
  { rule: 'private-key', secret: pem('RSA ') },
  { rule: 'private-key', secret: pem('OPENSSH ') },
  { rule: 'private-key', secret: pem('') },
  {
    rule: 'curl-auth-header',
    secret: draw('bearer', alnum, 40),
    text: "curl -sS https://api.internal.test/v1 \\\n  -H 'Authorization: Bearer %s'",
  },
  { rule: 'datadog-access-token', secret: draw('dd', hex, 40), text: 'DATADOG_API_KEY=%s', named: 'datadog_api_key' },
  { rule: 'discord-client-secret', secret: draw('dc', alnum, 32), text: 'discord_secret: "%s"', named: 'discordSecret' },
  { rule: 'snyk-api-token', secret: '9f1c2b7a-44d0-4e3b-8a51-0c6d7e8f9a1b', text: 'snyk_token = %s', named: 'snyk_api_token' },
  { rule: 'generic-api-key', secret: draw('generic', alnum, 40), text: 'export SERVICE_TOKEN="%s"', named: 'api_key' },
  { rule: 'generic-api-key', secret: draw('password', alnum, 24), text: 'password: %s', named: 'dbPassword' },
];

export const textOf = ({ text = '%s', secret }: Specimen): string => text.replace('%s', () => secret);

/** Texts of daily work in which nothing is secret. */
export const benign: readonly string[] = [
  '123e4567-e89b-12d3-a456-426614174000 and 7d444840-9dc0-11d1-b245-5ffdce74fad2',
  'commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12, parent da39a3ee5e6b4b0d3255bfef95601890afd80709',
  'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'integrity sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==',
  'export function createServer(options: ServerOptions): Server {\n  const key = options.key ?? defaultKey;\n  const token = await issue(user);\n  return new Server({ key, token });\n}',
  'const password = prompt("password: ");\nif (password === undefined) throw new Error("no password");',
  'The api key is in the vault; ask the secretary for access. The token was revoked: see the notes.',
  'GET /v1/customers?limit=20&page=3 HTTP/1.1\nHost: api.example.com\nAccept: application/json\nAuthorization: Bearer <token>',
  'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  'Released 2026-11-21 07:30:00 +0000, build 20261121073000123, order 1234567890123, timestamp 1795246200123',
  'lines 10-25, 100-200; v1.2.3-beta.4; 10.0.0.7:8080; 192.168.100.200; port 65535; 3.141592653589793',
  'import { readFile } from "node:fs/promises"; // see https://docs.example.com/guide/authentication#tokens',
  '| id | name | price |\n|----|------|-------|\n| 1001 | Widget | 12.50 |\n| 1002 | Gadget | 99.00 |',
  'Invoice 4000-1234, 12 345 678 EUR, weight 0.75 kg, ISBN 978-3-16-148410-0, EAN 4006381333931',
  '@scope/package@1.2.3, @decorator, git@github.com:owner/repository.git, icon@2x.png, a @ b',
  'family 👨‍👩‍👧‍👦, flag 🏴󠁧󠁢󠁥󠁮󠁧󠁿, ❤️, Persian می‌خواهم, accents é ü ñ, 日本語のテキスト',
  'They said: "keep the monkey away from the keyboard". Eyes on turkeys, valleys and journeys.',
  'ssn field missing; phone ext 1234; DE is a country; AB12 CDEF is a plate; GB29 is a road',
  'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7',
  'description: Fetches the list of open tickets and sorts them by priority, author and access level.',
];
