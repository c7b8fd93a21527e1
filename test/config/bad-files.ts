/** Configuration files with mistakes, and what is said about them. */
export interface BadFile {
  readonly name: string;
  readonly yaml: string | Uint8Array;
  /** Lines of the message without the file's name. */
  readonly says: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

export const badFiles: readonly BadFile[] = [
  {
    name: 'an empty file',
    yaml: '',
    says: ['1:1: (file): must be a mapping of keys to values, but is empty; give it a value or remove the key'],
  },
  {
    name: 'a file that is not UTF-8',
    yaml: new Uint8Array([0x76, 0xff, 0xfe]),
    says: ['1:1: (file): the file is not UTF-8; save it as UTF-8'],
  },
  {
    name: 'a syntax error is told once',
    yaml: 'version: 1\nlog: { level: info\nstore: x\nlimits: ]\n',
    says: [
      '3:1: (file): not valid YAML (flow map in block collection must be sufficiently indented and end with a }); check indentation and quotes here',
    ],
  },
  { name: 'a tab as indentation', yaml: 'version: 1\nlog:\n\tlevel: info\n', says: ['3:1: (file): indented with a tab; use spaces'] },
  { name: 'a key that is there twice', yaml: 'version: 1\nlog: {}\nlog: {}\n', says: ['3:1: (file): this key is there twice; remove one'] },
  {
    name: 'a custom tag',
    yaml: 'version: 1\ntenant: !!js/function x\n',
    says: ['2:9: (file): tags such as `!name` are not supported; remove it'],
  },
  {
    name: 'a second document',
    yaml: 'version: 1\n---\nversion: 1\n',
    says: ['2:1: (file): there is a second document; keep one, without `---` between'],
  },
  {
    name: 'too many aliases',
    yaml: `a: &a [x,x]\nb: &b [${'*a,'.repeat(20)}]\nc: &c [${'*b,'.repeat(20)}]\nd: [${'*c,'.repeat(20)}]\n`,
    says: ['1:1: (file): an alias is unknown or there are more than 100 uses; write the values out'],
  },
  {
    name: 'a missing and a wrong version',
    yaml: 'tenant: acme\n',
    says: ["1:1: version: missing; add the version of this file's format: `1`"],
  },
  { name: 'a version from the future', yaml: 'version: 2\n', says: ['1:10: version: must be `1`'] },
  {
    name: 'an unknown key with a near name',
    yaml: 'version: 1\nlisten:\n  publicUrl: https://mcp.example.com\nupstrems: {}\n',
    says: ['3:3: listen.publicUrl: unknown key; did you mean `public_url`?', '4:1: upstrems: unknown key; did you mean `upstreams`?'],
  },
  {
    name: 'an unknown key with no near name',
    yaml: 'version: 1\nlog:\n  destination: file\n',
    says: ['3:3: log.destination: unknown key; known here: level, format'],
  },
  {
    name: 'keys that people look for elsewhere',
    yaml: 'version: 1\nlisten: { tls: {} }\napprovals: { mode: wait }\nupstreams:\n  a: { url: https://a.example, http: { url: https://a.example } }\n',
    says: [
      '2:11: listen.tls: unknown key; the gateway speaks plain HTTP; end TLS in a proxy in front of it and name the address that agents use in `public_url`',
      '3:14: approvals.mode: unknown key; there is only `wait_ms`: 0 answers at once, more waits that long for a decision',
      '5:8: upstreams.a.url: unknown key; the address goes under the transport: `http: { url: … }`',
    ],
  },
  {
    name: 'text where numbers and switches are expected',
    yaml: "version: 1\nlisten: { port: '8080' }\nmetrics: { enabled: yes }\napi_keys: { enabled: 'true' }\nlimits: { body_bytes: 1.5 }\n",
    says: [
      '2:17: listen.port: must be a whole number between 0 and 65535, but is text; remove the quotes',
      '3:21: metrics.enabled: must be `true` or `false`, but is text; write `true`',
      '4:22: api_keys.enabled: must be `true` or `false`, but is text; remove the quotes',
      '5:23: limits.body_bytes: must be a whole number between 1024 and 67108864, but is a number with a fraction',
    ],
  },
  {
    name: 'numbers and empty values where text is expected',
    yaml: 'version: 1\ntenant: 7\nlisten:\n  host:\nissuers: []\ncontent: { personal_data: email }\n',
    says: [
      '2:9: tenant: must be a name of at most 63 lower-case letters, digits, `-` and `_`, but is a number; put it in quotes',
      '4:3: listen.host: must be an IP address or host name, but is empty; give it a value or remove the key',
      '6:27: content.personal_data: must be a list of kinds of personal data, but is text; put it in brackets, as in `[a, b]`',
    ],
  },
  {
    name: 'numbers out of range',
    yaml: 'version: 1\nlisten: { port: 70000 }\nissuers: [{ issuer: https://idp.example, leeway_s: 120 }]\n',
    says: [
      '2:17: listen.port: must be a whole number between 0 and 65535',
      '3:52: issuers[0].leeway_s: must be a whole number between 0 and 60',
    ],
  },
  {
    name: 'a value that is not one of the choices',
    yaml: 'version: 1\nlog: { level: warning, format: jsn }\n',
    says: [
      '2:15: log.level: must be one of `debug`, `info`, `warn` or `error`',
      '2:32: log.format: must be one of `json` or `pretty`; did you mean `json`?',
    ],
  },
  {
    name: 'an issuer without its URL, and with a symmetric algorithm',
    yaml: 'version: 1\nissuers:\n  - algorithms: [ES256, HS256, ES256]\n',
    says: [
      "3:5: issuers[0].issuer: missing; add the issuer's URL, exactly as its tokens have it in `iss`",
      '3:17: issuers[0].algorithms: entries 1 and 3 are the same; remove one',
      '3:25: issuers[0].algorithms[1]: must be one of `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`, `ES512`, `EdDSA` or `Ed25519`; did you mean `RS256`?',
    ],
  },
  {
    name: 'issuers that cannot be trusted or are there twice',
    yaml: 'version: 1\nissuers:\n  - issuer: http://idp.example\n  - issuer: https://idp.example?x=1\n  - issuer: http://127.0.0.1:9000\n  - issuer: http://127.0.0.1:9000\n  - issuer: idp.example\n',
    says: [
      '3:13: issuers[0].issuer: must be an https URL; plain http is accepted for loopback only',
      '4:13: issuers[1].issuer: a URL here has no query; remove it from `?` on',
      '6:13: issuers[3].issuer: the same issuer as entry 3; merge the two, audiences can be a list',
      '7:13: issuers[4].issuer: must be a URL such as `https://example.com/path`',
    ],
  },
  {
    name: 'a missing audience',
    yaml: 'version: 1\nissuers:\n  - issuer: https://idp.example\n    audience: []\n  - issuer: https://b.example\n    audience: https://mcp.example.com\nadmin: { issuer: https://idp.example, roles: { approver: [security] } }\n',
    says: [
      '4:15: issuers[0].audience: must be `endpoint` or a list of audiences such as `[https://mcp.example.com/mcp/support]`, but is empty',
      '6:15: issuers[1].audience: must be `endpoint` or a list of audiences such as `[https://mcp.example.com/mcp/support]`',
      "7:1: admin.audience: missing; add the audience of admin tokens, different from every agent's, such as `https://mcp.example.com/admin`",
    ],
  },
  {
    name: 'an admin API that is open to agents, for nobody, by an unknown issuer',
    yaml: 'version: 1\nissuers:\n  - issuer: https://idp.example\n    audience: [https://a.example, https://admin.example]\nadmin:\n  issuer: https://ipd.example\n  audience: https://admin.example\n  roles: {}\n',
    says: [
      "4:35: issuers[0].audience[1]: is the audience of `admin` too: an agent's token would open the admin API; give each its own",
      '6:11: admin.issuer: no such entry in `issuers`; did you mean `https://idp.example`?',
      '8:3: admin.roles: no role has a group, so nobody could use the admin API; name one, such as `approver: [security]`',
    ],
  },
  {
    name: 'nobody who could get in',
    yaml: 'version: 1\napi_keys:\n  enabled: false\n',
    says: ['3:12: api_keys.enabled: without issuers and API keys nobody gets in; add an issuer or enable API keys'],
  },
  {
    name: 'listening beyond loopback without a public URL',
    yaml: 'version: 1\nlisten:\n  host: 0.0.0.0\n',
    says: [
      '2:1: listen.public_url: missing; listening beyond loopback, tokens are bound to the address that agents use: add it, such as `https://mcp.example.com`',
    ],
  },
  {
    name: 'public URLs and origins that are none',
    yaml: 'version: 1\nlisten:\n  public_url: https://mcp.example.com/\n  allowed_hosts: [https://mcp.example.com]\n  allowed_origins: [http://mcp.example.com, "null"]\n',
    says: [
      '3:15: listen.public_url: must be an origin, without a path or a slash at the end; write `https://mcp.example.com`',
      '4:19: listen.allowed_hosts[0]: must be a host name with an optional port, without a scheme',
      '5:21: listen.allowed_origins[0]: must be an https URL; plain http is accepted for loopback only',
      '5:45: listen.allowed_origins[1]: must be a URL such as `https://mcp.example.com`',
    ],
  },
  {
    name: 'a secret in plain text',
    yaml: 'version: 1\nupstreams:\n  a:\n    http: { url: https://a.example/mcp, headers: { X-Api-Key: hunter2 } }\n    credential:\n      static:\n        value: hunter2\n  b:\n    http: { url: "https://user:hunter2@b.example" }\n    credential: { client_credentials: { issuer: https://idp.example, client_id: c, client_secret: $B_SECRET } }\n  c:\n    stdio: { command: c, env: { GITHUB_TOKEN: hunter2 } }\nstore: { postgres: { url: "postgres://u:hunter2@db/x" } }\n',
    says: [
      '4:63: upstreams.a.http.headers.X-Api-Key: looks like a secret in plain text; use `{env: NAME}` or `{file: PATH}`',
      '7:16: upstreams.a.credential.static.value: a secret is never written into this file; use `{env: NAME}` or `{file: PATH}`',
      '9:18: upstreams.b.http.url: a URL here has no user and password; put the secret under a key that takes `{env: NAME}`',
      '10:99: upstreams.b.credential.client_credentials.client_secret: a secret is never written into this file; use `{env: B_SECRET}`',
      '12:47: upstreams.c.stdio.env.GITHUB_TOKEN: looks like a secret in plain text; use `{env: NAME}` or `{file: PATH}`',
      '13:27: store.postgres.url: a secret is never written into this file; use `{env: NAME}` or `{file: PATH}`',
    ],
  },
  {
    name: 'an environment variable that is not set or empty',
    yaml: 'version: 1\nupstreams:\n  a:\n    stdio: { command: a, env: { X: { env: NOT_THERE }, Y: { env: EMPTY } } }\n',
    env: { EMPTY: '' },
    says: [
      '4:43: upstreams.a.stdio.env.X.env: the environment variable `NOT_THERE` is not set; set it, or use `{file: PATH}`',
      '4:66: upstreams.a.stdio.env.Y.env: the environment variable `EMPTY` is empty; give it the secret',
    ],
  },
  {
    name: 'secret files that cannot be read',
    yaml: 'version: 1\nupstreams:\n  a:\n    stdio:\n      command: a\n      env:\n        A: { file: no-such }\n        B: { file: empty }\n        C: { file: policies }\n        D: { env: A, file: b }\n        E: {}\n',
    files: { empty: '\n' },
    says: [
      "7:20: upstreams.a.stdio.env.A.file: there is no file `no-such`; create it, or correct the path (relative paths start at this file's folder)",
      '8:20: upstreams.a.stdio.env.B.file: the file `empty` is empty; put the secret into it',
      '9:20: upstreams.a.stdio.env.C.file: `policies` is a folder; name the file in it',
      '10:12: upstreams.a.stdio.env.D: must be text, `{env: NAME}` or `{file: PATH}`, exactly one of the two',
      '11:12: upstreams.a.stdio.env.E: must be text, `{env: NAME}` or `{file: PATH}`, exactly one of the two',
    ],
  },
  {
    name: 'an upstream without a transport, and with two',
    yaml: 'version: 1\nupstreams:\n  a: {}\n  b: { http: { url: https://b.example }, stdio: { command: b } }\n  c: { stdio: { command: c }, credential: { static: { value: { env: S } } } }\n',
    env: { S: 's' },
    says: [
      '3:3: upstreams.a: needs exactly one of `http`, `stdio` and `sse`; none is there',
      '4:3: upstreams.b: needs exactly one of `http`, `stdio` and `sse`; remove all but one of `http` and `stdio`',
      '5:31: upstreams.c.credential: a program gets its secrets through `stdio.env`; move it there',
    ],
  },
  {
    name: 'names that cannot be one',
    yaml: 'version: 1\nupstreams:\n  My Server: { stdio: { command: a } }\n  __proto__: { stdio: { command: a } }\n  a: { stdio: { command: a }, labels: [Private], tools: { x: { digest: sha256:abc } } }\n',
    says: [
      '3:3: upstreams["My Server"]: the name must be a name of at most 63 lower-case letters, digits, `-` and `_`',
      '4:3: upstreams.__proto__: the name must be a name of at most 63 lower-case letters, digits, `-` and `_`',
      '5:40: upstreams.a.labels[0]: must be a label of at most 64 lower-case letters, digits, `_`, `.`, `:` and `-`',
      '5:72: upstreams.a.tools.x.digest: must be `sha256:` and 64 lower-case hexadecimal digits',
    ],
  },
  {
    name: 'an era that the transport does not have',
    yaml: 'version: 1\nupstreams: { a: { sse: { url: "https://a.example" }, era: modern } }\n',
    says: ['2:59: upstreams.a.era: the old HTTP+SSE transport knows no `modern` era; put the address under `http`'],
  },
  {
    name: 'headers that clash',
    yaml: 'version: 1\nupstreams:\n  a:\n    http:\n      url: https://a.example\n      headers: { Mcp-Session-Id: x, Authorization: { env: S }, X-Team: a, x-team: b }\n    credential: { static: { value: { env: S }, header: authorization } }\n',
    env: { S: 'a\nb' },
    says: [
      "6:18: upstreams.a.http.headers.Mcp-Session-Id: this header is the transport's own; remove it",
      '6:37: upstreams.a.http.headers.Authorization: `credential` sets this header too; remove one',
      '6:52: upstreams.a.http.headers.Authorization: the secret holds a line break or another control character; a header cannot',
      '6:75: upstreams.a.http.headers.x-team: this header is there twice; names differ in case only',
      '7:36: upstreams.a.credential.static.value: the secret holds a line break or another control character; a header cannot',
    ],
  },
  {
    name: 'an endpoint that names an unknown upstream',
    yaml: 'version: 1\nupstreams:\n  billing: { http: { url: https://b.example } }\nendpoints:\n  support:\n    upstreams: [{ name: biling }, { name: billing }, { name: billing }]\n  empty: { upstreams: [] }\n',
    says: [
      '6:25: endpoints.support.upstreams[0].name: there is no upstream `biling`; did you mean `billing`?',
      '6:62: endpoints.support.upstreams[2].name: upstream `billing` is there twice; merge the two entries',
      '7:23: endpoints.empty.upstreams: must be a list of at least one upstream, such as `[{ name: billing }]`, but is empty',
    ],
  },
  {
    name: 'a wrong part does not hide that its name is known',
    yaml: 'version: 1\nupstreams:\n  billing: { http: { ulr: https://b.example } }\nendpoints:\n  support:\n    upstreams: [{ nam: x }, { name: billing }, { name: other }]\n',
    says: [
      "3:14: upstreams.billing.http.url: missing; add the server's MCP URL",
      '3:22: upstreams.billing.http.ulr: unknown key; did you mean `url`?',
      '6:17: endpoints.support.upstreams[0].name: missing; add the name of one of `upstreams`',
      '6:19: endpoints.support.upstreams[0].nam: unknown key; did you mean `name`?',
      '6:56: endpoints.support.upstreams[2].name: there is no upstream `other`; there are `billing`',
    ],
  },
  {
    name: 'names that the gateway needs for tool search',
    yaml: 'version: 1\nupstreams:\n  a: { stdio: { command: a } }\nendpoints:\n  e:\n    upstreams:\n      - { name: a, tools: [find_tool, other] }\n    rename: [{ upstream: a, tool: other, as: call_tool }]\n    variants: [{ upstream: a, tool: other, as: find_tool, pin: { p: 1 } }]\n    tool_search: { enabled: true, results: 20, max_results: 5 }\n',
    says: [
      "7:28: endpoints.e.upstreams[0].tools[0]: `find_tool` is the gateway's own tool where `tool_search` is enabled; take another name",
      "8:46: endpoints.e.rename[0].as: `call_tool` is the gateway's own tool where `tool_search` is enabled; take another name",
      "9:48: endpoints.e.variants[0].as: `find_tool` is the gateway's own tool where `tool_search` is enabled; take another name",
      '10:44: endpoints.e.tool_search.results: `results` is above `max_results`; lower it, or raise that',
    ],
  },
  {
    name: 'renames and variants that lead nowhere',
    yaml: "version: 1\nupstreams:\n  a: { stdio: { command: a } }\n  b: { stdio: { command: b } }\nendpoints:\n  e:\n    upstreams:\n      - { name: a, tools: ['read_*'], exclude: [read_all] }\n    rename:\n      - { upstream: a, tool: read_one, as: one }\n      - { upstream: a, tool: read_one, as: uno }\n      - { upstream: a, tool: read_all, as: all }\n      - { upstream: b, tool: x, as: x y }\n    variants:\n      - { upstream: b, tool: x, as: one, pin: { p: 1 } }\n      - { upstream: a, tool: read_all, as: nothing }\n      - { upstream: a, tool: read_all, as: both, pin: { p: 1 }, narrow: { p: { enum: [1] }, q: { type: nmber } } }\n",
    says: [
      '11:30: endpoints.e.rename[1].tool: `read_one` is renamed twice; remove one, or make the second a variant',
      '12:30: endpoints.e.rename[2].tool: `read_all` is not offered here: `tools` and `exclude` of `a` leave it out; let it in, or remove this entry',
      '13:37: endpoints.e.rename[3].as: must be a tool name of at most 128 letters, digits, `_`, `-` and `.`',
      '15:21: endpoints.e.variants[0].upstream: `b` is not an upstream of this endpoint; add it to its `upstreams`',
      '15:37: endpoints.e.variants[0].as: `one` is the name of `rename[0]` too; take another',
      '16:9: endpoints.e.variants[1]: a variant that fixes and narrows nothing is the tool itself; add `pin` or `narrow`, or use `rename`',
      '17:75: endpoints.e.variants[2].narrow.p: `p` is pinned too; a pinned argument has one value, so remove this',
      '17:96: endpoints.e.variants[2].narrow.q: not a JSON Schema (schema is invalid: data/type must be equal to one of the allowed values); correct it',
    ],
  },
  {
    name: 'an approval that waits longer than a call lives, and other numbers that do not fit each other',
    yaml: 'version: 1\napprovals: { wait_ms: 60000 }\nlimits: { sessions: 10, call_timeout_ms: 1000 }\npolicy: { deadline_ms: 2000 }\nissuer_keys: { refresh_s: 900 }\napi_keys: { max_lifetime_days: 30 }\nmetrics: { port: 8080 }\n',
    says: [
      '2:23: approvals.wait_ms: must be less than `limits.call_timeout_ms` (1000), or the call ends before the decision; lower it or raise that',
      '3:1: limits.sessions_per_identity: must be at most `limits.sessions` (10)',
      '4:24: policy.deadline_ms: must be less than `limits.call_timeout_ms` (1000)',
      '5:27: issuer_keys.refresh_s: must be at most `issuer_keys.max_age_s` (600)',
      '6:1: api_keys.default_lifetime_days: must be at most `api_keys.max_lifetime_days` (30)',
      '7:18: metrics.port: port 8080 is the one of `listen`; take another, or leave it out to serve both on one',
    ],
  },
  {
    name: 'folders that are not there',
    yaml: 'version: 1\npolicy:\n  path: rego\n  tests: rego-tests\n',
    says: [
      '3:9: policy.path: there is no folder `<folder>/rego`; name the one with the Rego',
      '4:10: policy.tests: there is no folder `<folder>/rego-tests`; name the one with the tests, or set `policy.run_tests` to `false`',
    ],
  },
  {
    name: 'a policy from two places',
    yaml: 'version: 1\npolicy:\n  path: policies\n  bundle: policies\n',
    says: ['4:11: policy.bundle: stands in the place of `policy.path`; remove one of them'],
  },
  {
    name: 'a store of no kind, of two, and of another database',
    yaml: 'version: 1\nstore: {}\n',
    says: ['2:1: store: needs exactly one of `sqlite` and `postgres`; none is there'],
  },
  {
    name: 'a database URL of another database',
    yaml: 'version: 1\nstore: { postgres: { url: { env: DB } } }\n',
    env: { DB: 'mysql://u:hunter2@db/x' },
    says: [
      '2:27: store.postgres.url: the secret is not a `postgres://` URL; store one such as `postgres://user:password@host:5432/castellan`',
    ],
  },
];
