// Made by `npm run generate` from castellan.schema.json; edit that instead.
import type { Secret } from './secret.ts';

/**
 * Castellan's configuration: one YAML file. Unknown keys are refused, nothing is converted, and relative paths start at the file's own folder.
 */
export interface Config {
  /**
   * The version of this file's format: `1`.
   */
  version: 1;
  listen: ListenConfig;
  /**
   * The tenant that all stored data belongs to. Do not change it later: what is stored stays under the old name.
   */
  tenant: string;
  environment: EnvironmentConfig;
  /**
   * The OpenID providers whose access tokens are accepted. Empty: agents can only use API keys.
   */
  issuers: readonly IssuerConfig[];
  issuer_keys: IssuerKeysConfig;
  api_keys: ApiKeysConfig;
  admin?: AdminConfig;
  /**
   * The MCP servers behind the gateway, by name. The name is what policy sees as the server.
   */
  upstreams: {
    [k: string]: UpstreamConfig;
  };
  /**
   * The virtual MCP servers that agents connect to, by name; each is at `/mcp/<name>`.
   */
  endpoints: {
    [k: string]: EndpointConfig;
  };
  /**
   * The definitions of tools that were reviewed, for upstreams with `pinning: lockfile`. `castellan lock` writes it; keep it in Git.
   */
  lockfile: string;
  policy: PolicyConfig;
  approvals: ApprovalsConfig;
  audit: AuditConfig;
  store: StoreConfig;
  content: ContentConfig;
  limits: LimitsConfig;
  log: LogConfig;
  telemetry: TelemetryConfig;
  metrics: MetricsConfig;
}
export interface ListenConfig {
  /**
   * The address to listen on. Beyond loopback, `public_url` is needed.
   */
  host: string;
  /**
   * The TCP port; `0` takes a free one.
   */
  port: number;
  /**
   * The origin under which agents reach the gateway, such as `https://mcp.example.com`; tokens are bound to it. TLS ends in front of the gateway. Default: `http://<host>:<port>`, on loopback only.
   */
  public_url?: string;
  /**
   * Further values of the `Host` header to accept, with the port where it is not the scheme's own. The public URL's host always is, and on loopback `localhost` and the loopback addresses.
   */
  allowed_hosts: readonly string[];
  /**
   * Further web origins whose pages may call the gateway. Requests without an `Origin` header are not browsers and pass; the public URL's origin always does.
   */
  allowed_origins: readonly string[];
}
export interface EnvironmentConfig {
  /**
   * The name of this installation, such as `production` or `staging`.
   */
  name: string;
  /**
   * Free text by name, for policy to read.
   */
  labels: {
    [k: string]: string;
  };
}
export interface IssuerConfig {
  /**
   * The issuer's URL, exactly as its tokens have it in `iss`. Its keys are found through discovery.
   */
  issuer: string;
  /**
   * What `aud` of an access token must hold: `endpoint` means the public URL of the very endpoint that is called (RFC 8707, what MCP clients ask for); a list means one of these values, compared exactly, for all endpoints.
   */
  audience: 'endpoint' | readonly string[];
  /**
   * The signature algorithms that this issuer may use. Symmetric ones and `none` do not exist here.
   */
  algorithms: readonly ('RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | 'ES256' | 'ES384' | 'ES512' | 'EdDSA' | 'Ed25519')[];
  /**
   * The values of the header `typ` that mark an access token of this issuer. `JWT` also lets ID tokens in where their audience fits: add it only for an issuer that knows no better.
   */
  token_types: readonly string[];
  /**
   * How far this issuer's clock may be off when expiry is checked, in seconds.
   */
  leeway_s: number;
  /**
   * A token that was issued longer ago is refused, whatever its expiry says, in seconds. Default: only expiry counts.
   */
  max_token_age_s?: number;
  /**
   * Where the key set is, for an issuer without discovery.
   */
  jwks_uri?: string;
  claims: ClaimsConfig;
  /**
   * Scopes that every token needs; without them the answer is 403 and a challenge that names them.
   */
  required_scopes: readonly string[];
}
export interface ClaimsConfig {
  /**
   * The claim with the stable id of the person or service.
   */
  subject: string;
  /**
   * The claim with the list of groups; a JSON Pointer reaches inside, as in `/realm_access/roles`.
   */
  groups: string;
  /**
   * The claim with the agent's OAuth client id. Default: `client_id`, else `azp`.
   */
  client?: string;
  /**
   * The claim with the scopes: text with spaces, or a list. Default: `scope`, else `scp`.
   */
  scopes?: string;
  /**
   * The claim that must hold this installation's tenant; a token of another tenant is refused. Default: not looked at.
   */
  tenant?: string;
  /**
   * The claim that says who acts for whom (RFC 8693).
   */
  on_behalf_of: string;
  /**
   * Further claims, by name, that policy sees under `input.identity.claims`. No others reach policy or audit.
   */
  expose: readonly string[];
}
export interface IssuerKeysConfig {
  /**
   * Keys this old are fetched again while they still serve, in seconds.
   */
  refresh_s: number;
  /**
   * Keys this old serve nobody before they are fetched again, in seconds: a key that was withdrawn is dead by then.
   */
  max_age_s: number;
  /**
   * How much longer keys serve while their issuer cannot be reached, in seconds; then its tokens are answered with 503.
   */
  stale_s: number;
}
export interface ApiKeysConfig {
  /**
   * Whether keys are accepted.
   */
  enabled: boolean;
  /**
   * The life of a key that is made without one, in days.
   */
  default_lifetime_days: number;
  /**
   * The longest life that a key can be given, in days.
   */
  max_lifetime_days: number;
}
export interface AdminConfig {
  /**
   * The one of `issuers` whose tokens the admin API accepts.
   */
  issuer: string;
  /**
   * The audience of admin tokens, different from every agent's, such as `https://mcp.example.com/admin`.
   */
  audience: string;
  roles: RolesConfig;
  login?: LoginConfig;
}
export interface RolesConfig {
  /**
   * May decide held calls; the rule that holds a call may ask for further groups.
   */
  approver: readonly string[];
  /**
   * May read the audit log and the state of the gateway.
   */
  auditor: readonly string[];
  /**
   * May reload configuration and policy, and manage API keys.
   */
  operator: readonly string[];
  /**
   * May do all of that.
   */
  admin: readonly string[];
}
export interface LoginConfig {
  /**
   * The id of a public OAuth client with loopback redirects or the device grant.
   */
  client_id: string;
  /**
   * The scopes to ask for.
   */
  scopes: readonly string[];
}
export interface UpstreamConfig {
  http?: HttpConfig;
  stdio?: StdioConfig;
  sse?: HttpConfig;
  credential?: CredentialConfig;
  /**
   * How long the server may take to answer the gateway's own requests: opening a session, lists, a token. A call is bounded by `limits.call_timeout_ms`.
   */
  timeout_ms: number;
  /**
   * The largest single message that is taken from the server, after inflating; a larger one ends in an error.
   */
  max_response_bytes: number;
  /**
   * `config`: a tool counts as pinned only where `tools.<name>.digest` fits its definition. `first_seen`: otherwise the definition that was seen first is kept, and a changed one no longer fits. `lockfile`: otherwise the definition in the lockfile counts, and the server's instructions must be those in it. Policy decides what an unpinned tool may do.
   */
  pinning: 'config' | 'first_seen' | 'lockfile';
  /**
   * What becomes of a tool whose definition is another than the one that was reviewed or first seen, or that is not in the lockfile. `hide`: no list shows it, whatever policy says, and a call of it is judged as unpinned. `policy`: policy alone decides.
   */
  quarantine: 'hide' | 'policy';
  /**
   * Labels of every tool of this server. Policy trusts them.
   */
  labels: readonly string[];
  /**
   * What is known of single tools, by the server's own name for them.
   */
  tools: {
    [k: string]: ToolConfig;
  };
  /**
   * What the gateway says its client can do where no agent speaks for itself: on a connection that all agents share (stdio), and whenever it reads the server's lists. What the server then asks is still judged by policy.
   */
  offer: readonly ('sampling' | 'elicitation' | 'roots')[];
  /**
   * Which era of MCP the server speaks: `legacy` opens sessions (up to 2025-11-25), `modern` is 2026-07-28. `auto` finds out by asking; a program that turns out to be `legacy` is started a second time after that, so saying it here makes its start quicker.
   */
  era: 'auto' | 'legacy' | 'modern';
}
export interface HttpConfig {
  /**
   * The server's MCP URL.
   */
  url: string;
  /**
   * Headers that every request to the server carries; a value is text, `{env: NAME}` or `{file: PATH}`. A credential belongs under `credential`.
   */
  headers: {
    [k: string]: string | Secret;
  };
  /**
   * `false` refuses, at connect time, addresses that are private, loopback or link-local.
   */
  allow_private_network: boolean;
}
export interface StdioConfig {
  /**
   * The program, found on the path, or a path where it begins with `./` or `../`. No shell is involved.
   */
  command: string;
  /**
   * The program's arguments, one entry each.
   */
  args: readonly string[];
  /**
   * All of the environment that the program gets, beside a few harmless names such as PATH and HOME; a value is text, `{env: NAME}` or `{file: PATH}`.
   */
  env: {
    [k: string]: string | Secret;
  };
  /**
   * The folder that the program starts in. Default: this file's folder.
   */
  cwd: string;
}
export interface CredentialConfig {
  static?: StaticCredentialConfig;
  client_credentials?: ClientCredentialsConfig;
}
export interface StaticCredentialConfig {
  /**
   * The header that carries the secret.
   */
  header: string;
  /**
   * A word before the secret, such as `Bearer`. Default: none, the header is the secret itself.
   */
  scheme?: string;
  /**
   * The secret: `{env: NAME}` or `{file: PATH}`.
   */
  value: Secret;
}
export interface ClientCredentialsConfig {
  /**
   * The authorization server's issuer URL.
   */
  issuer: string;
  /**
   * The gateway's client id there.
   */
  client_id: string;
  /**
   * The gateway's client secret there: `{env: NAME}` or `{file: PATH}`.
   */
  client_secret: Secret;
  /**
   * The scopes to ask for, with spaces between them.
   */
  scope?: string;
  /**
   * The resource to ask a token for (RFC 8707); usually the server's URL.
   */
  resource?: string;
}
export interface ToolConfig {
  /**
   * Labels of this tool, beside those of the server. Policy trusts them.
   */
  labels: readonly string[];
  /**
   * The digest of the definition that was reviewed. A tool whose definition differs is not pinned.
   */
  digest?: string;
  /**
   * Whether the tool may be called again when an answer was lost, whatever its annotations say.
   */
  idempotent: boolean;
}
export interface EndpointConfig {
  /**
   * The servers behind this endpoint, in the order in which their tools are listed. A tool's name gets its server's as a prefix only where two are the same.
   */
  upstreams: readonly EndpointUpstreamConfig[];
  /**
   * Tools that are offered under another name.
   */
  rename: readonly RenameConfig[];
  /**
   * Restricted variants: a tool that is offered once more, under another name and with some arguments fixed or narrowed. To offer the variant alone, put the tool itself under `exclude`.
   */
  variants: readonly VariantConfig[];
  /**
   * What agents are told about this endpoint when they connect.
   */
  instructions?: string;
  /**
   * `observe`: everything is decided and recorded, and nothing is refused, held or changed because of policy; the record says `enforced: false`. For the time before rules are trusted. Faults of the gateway (no identity, malformed, unknown, no policy at all, no audit) still refuse.
   */
  enforcement: 'enforce' | 'observe';
  tool_search: ToolSearchConfig;
}
export interface EndpointUpstreamConfig {
  /**
   * The name of one of `upstreams`.
   */
  name: string;
  /**
   * The tools to offer: names, where `*` stands for any characters.
   */
  tools: readonly string[];
  /**
   * Tools to leave out of those, written the same way.
   */
  exclude: readonly string[];
}
export interface RenameConfig {
  /**
   * The name of one of this endpoint's upstreams.
   */
  upstream: string;
  /**
   * The server's own name for the tool.
   */
  tool: string;
  /**
   * The name that agents see.
   */
  as: string;
  /**
   * The title that agents see, in place of the server's.
   */
  title?: string;
  /**
   * The description that agents see, in place of the server's.
   */
  description?: string;
}
export interface VariantConfig {
  /**
   * The name of one of this endpoint's upstreams.
   */
  upstream: string;
  /**
   * The server's own name for the tool.
   */
  tool: string;
  /**
   * The name that agents see.
   */
  as: string;
  /**
   * The title that agents see, in place of the server's.
   */
  title?: string;
  /**
   * The description that agents see, in place of the server's.
   */
  description?: string;
  /**
   * Arguments with a fixed value, by name: agents neither see nor set them.
   */
  pin: Readonly<Record<string, unknown>>;
  /**
   * Arguments with a further JSON Schema, by name: a value must fit it and the server's own.
   */
  narrow: {
    [k: string]: Readonly<Record<string, unknown>>;
  };
}
export interface ToolSearchConfig {
  /**
   * Whether this endpoint lists `find_tool` and `call_tool` in place of its tools. What is found is filtered as the list would be, and a call through `call_tool` is judged as a call of the tool itself.
   */
  enabled: boolean;
  /**
   * How many tools a search gives where the agent does not say.
   */
  results: number;
  /**
   * How many tools an agent may ask for in one search.
   */
  max_results: number;
}
export interface PolicyConfig {
  /**
   * The folder with the Rego and its data.
   */
  path: string;
  /**
   * In the place of `path`: a bundle that was built elsewhere (a tar.gz of `opa build`, or a folder of its files), with a module or with Rego alone. A signature in it is not verified.
   */
  bundle?: string;
  /**
   * The folder with the policy's tests.
   */
  tests: string;
  /**
   * Whether a release comes into force only after its tests pass.
   */
  run_tests: boolean;
  /**
   * Whether a change in these folders makes a new release by itself.
   */
  watch: boolean;
  /**
   * Whether listed tools show only the argument values that policy does not refuse anyhow, where that is proved. Calls are judged all the same.
   */
  narrow_lists: boolean;
  /**
   * How long one evaluation may take; a longer one is cut off and the call denied.
   */
  deadline_ms: number;
  /**
   * How much memory one evaluation may use, in MiB; more ends in a denial.
   */
  memory_mb: number;
  /**
   * Threads that evaluate. One serves about what one CPU of the gateway can carry.
   */
  workers: number;
  /**
   * Where compiled releases are kept, so that a start needs no compiler and the last good release survives.
   */
  cache_dir: string;
}
export interface ApprovalsConfig {
  /**
   * `0`: a held call is answered at once with what is needed and an id, and executed when the agent repeats it after approval. More: the call waits this long for a decision first, sending progress.
   */
  wait_ms: number;
  /**
   * Held calls that one identity may have open; one more is denied.
   */
  max_pending_per_identity: number;
}
export interface AuditConfig {
  /**
   * Where records are sent as they come. Each sink keeps its own place in the log and goes on there.
   */
  sinks: readonly SinkConfig[];
  /**
   * `full`: the record of a decision is on the disk before anything is sent. `relaxed` (SQLite only): it is handed to the operating system, and a power cut loses it; for measurements, not for production.
   */
  durability: 'full' | 'relaxed';
  checkpoints: AuditCheckpointsConfig;
  inputs: AuditInputsConfig;
  records: AuditRecordsConfig;
}
export interface SinkConfig {
  /**
   * The sink's name. Its place in the log is kept under it: another name begins anew.
   */
  name: string;
  /**
   * The kinds of records that it gets.
   */
  kinds: readonly ('decided' | 'finished' | 'refused' | 'admin' | 'system')[];
  /**
   * Where a new sink begins: `start` is the log's first record, `now` the next one.
   */
  from: 'start' | 'now';
  /**
   * Records in one batch at most.
   */
  batch_records: number;
  /**
   * How long records gather before a batch that is not full is sent.
   */
  gather_ms: number;
  webhook?: WebhookSinkConfig;
  opa?: OpaSinkConfig;
  otlp?: OtlpSinkConfig;
  syslog?: SyslogSinkConfig;
  s3?: S3SinkConfig;
}
export interface WebhookSinkConfig {
  /**
   * Where batches are posted.
   */
  url: string;
  /**
   * The secrets that sign, the newest first: `whsec_` and 24 to 64 bytes in base64. With two, each signs, so that a receiver can be moved from one to the other.
   */
  secrets: readonly Secret[];
  /**
   * How a record is written: as the log has it, as an OCSF event, or as a line of CEF.
   */
  format: 'castellan' | 'ocsf' | 'cef';
  /**
   * `true` lets it be an address that is private, loopback or link-local; otherwise those are refused when they are connected to.
   */
  allow_private_network: boolean;
}
export interface OpaSinkConfig {
  /**
   * The service's address; decisions are posted to `/logs` below it.
   */
  url: string;
  /**
   * A path behind `/logs`, as OPA's `partition_name`.
   */
  partition?: string;
  /**
   * Headers that each request carries, such as `Authorization`; a value is text, `{env: NAME}` or `{file: PATH}`.
   */
  headers: {
    [k: string]: string | Secret;
  };
  /**
   * Labels of every event, beside `id` and `version`.
   */
  labels: {
    [k: string]: string;
  };
  /**
   * Whether an event holds the input of its decision, where it is kept: policy's mask has been applied to it.
   */
  include_input: boolean;
  /**
   * The largest body of one request, compressed, as OPA's `upload_size_limit_bytes`. A decision that is larger alone goes without its input.
   */
  upload_size_limit_bytes: number;
  /**
   * `false` refuses, at connect time, addresses that are private, loopback or link-local.
   */
  allow_private_network: boolean;
}
export interface OtlpSinkConfig {
  /**
   * The receiver's address; records are posted to `/v1/logs` below it.
   */
  url: string;
  /**
   * Headers that each request carries; a value is text, `{env: NAME}` or `{file: PATH}`.
   */
  headers: {
    [k: string]: string | Secret;
  };
  /**
   * `false` refuses, at connect time, addresses that are private, loopback or link-local.
   */
  allow_private_network: boolean;
}
export interface SyslogSinkConfig {
  /**
   * The receiver's host name or address.
   */
  host: string;
  /**
   * Its port.
   */
  port: number;
  /**
   * Whether the connection is TLS (RFC 5425).
   */
  tls: boolean;
  /**
   * PEM of the authority that signed the receiver's certificate. Default: the authorities that Node.js trusts.
   */
  ca?: Secret;
  /**
   * How a record is written in the message: as a line of CEF, as an OCSF event, or as the log has it.
   */
  format: 'castellan' | 'ocsf' | 'cef';
}
export interface S3SinkConfig {
  /**
   * The store's address; the bucket is a path below it.
   */
  endpoint: string;
  /**
   * The bucket.
   */
  bucket: string;
  /**
   * The region that requests are signed for.
   */
  region: string;
  /**
   * What the objects' names begin with.
   */
  prefix: string;
  /**
   * The key's id.
   */
  access_key_id: Secret;
  /**
   * The key.
   */
  secret_access_key: Secret;
  /**
   * The token of temporary credentials.
   */
  session_token?: Secret;
  /**
   * How a record is written: one line each, as the log has it, as an OCSF event, or as CEF.
   */
  format: 'castellan' | 'ocsf' | 'cef';
  /**
   * `false` refuses, at connect time, addresses that are private, loopback or link-local.
   */
  allow_private_network: boolean;
}
export interface AuditCheckpointsConfig {
  /**
   * Whether checkpoints are made.
   */
  enabled: boolean;
  /**
   * The name of this log and of its key in each checkpoint, such as `audit.example.com/castellan`; no other log may have it. Default: a name with the key's fingerprint.
   */
  origin?: string;
  /**
   * The Ed25519 private key that signs: 32 random bytes in hex (`openssl rand -hex 32`), or PEM (`openssl genpkey -algorithm ed25519`). Default with SQLite: `<database>.checkpoint-key.pem`, made at the first start; with PostgreSQL checkpoints are made only with a key, which replicas share.
   */
  key?: Secret;
  /**
   * Verifier keys of keys that signed before: `castellan audit checkpoint --public-key` printed them.
   */
  earlier_keys: readonly string[];
  /**
   * A checkpoint is made when so many records came since the last one.
   */
  records: number;
  /**
   * A checkpoint is made when the last one is so old and a record came since.
   */
  interval_s: number;
  /**
   * Where the latest checkpoint is written. Default with SQLite: `<database>.checkpoint`; with PostgreSQL nowhere.
   */
  file?: string;
  /**
   * Where checkpoints are sent off this host. Without it, whoever can write to the database and read the key can rewrite the log unseen.
   */
  push: readonly CheckpointTargetConfig[];
}
export interface CheckpointTargetConfig {
  /**
   * The target's name.
   */
  name: string;
  http?: CheckpointHttpConfig;
  s3?: CheckpointS3Config;
}
export interface CheckpointHttpConfig {
  /**
   * Where the note is sent, as `text/plain`; `{size}` in it stands for the number of records.
   */
  url: string;
  /**
   * The method.
   */
  method: 'POST' | 'PUT';
  /**
   * Headers that each request carries, such as `Authorization`; a value is text, `{env: NAME}` or `{file: PATH}`.
   */
  headers: {
    [k: string]: string | Secret;
  };
  /**
   * `false` refuses, at connect time, addresses that are private, loopback or link-local.
   */
  allow_private_network: boolean;
}
export interface CheckpointS3Config {
  /**
   * The store's address; the bucket is a path below it.
   */
  endpoint: string;
  /**
   * The bucket. Give it object lock or versions, so that nobody can take a checkpoint back.
   */
  bucket: string;
  /**
   * The region that requests are signed for.
   */
  region: string;
  /**
   * What the objects' names begin with: `<prefix>/checkpoint` is the latest, `<prefix>/checkpoints/<size>-<root>` are all.
   */
  prefix: string;
  /**
   * The key's id.
   */
  access_key_id: Secret;
  /**
   * The key.
   */
  secret_access_key: Secret;
  /**
   * The token of temporary credentials.
   */
  session_token?: Secret;
  /**
   * `false` refuses, at connect time, addresses that are private, loopback or link-local.
   */
  allow_private_network: boolean;
}
export interface AuditInputsConfig {
  /**
   * Whether inputs are kept.
   */
  enabled: boolean;
  /**
   * The key that seals the keys of the days: 32 random bytes as hex or base64 (`openssl rand -base64 32`). With SQLite it may be left out: the gateway then makes a file with one beside its database. With PostgreSQL it must be here.
   */
  key?: Secret;
  /**
   * Keys that were `key` before: they open what they sealed, and at the next start it is sealed under `key`.
   */
  earlier_keys: readonly Secret[];
  /**
   * An input larger than this is not kept; its record says so.
   */
  max_bytes: number;
  /**
   * How long inputs are kept, in days: then the key of their day is destroyed, and nothing can open them again.
   */
  keep_days: number;
}
export interface AuditRecordsConfig {
  keep_days: AuditKeepDaysConfig;
}
export interface AuditKeepDaysConfig {
  /**
   * Decided and finished calls and messages. History is rebuilt from them at a start, so at least a day.
   */
  calls?: number;
  /**
   * Lists: what agents were shown.
   */
  lists?: number;
  /**
   * Requests that never reached policy.
   */
  refused?: number;
  /**
   * What people did at the admin API and the command line, and what the gateway did by itself.
   */
  admin?: number;
}
export interface StoreConfig {
  sqlite?: SqliteConfig;
  postgres?: PostgresConfig;
}
export interface SqliteConfig {
  /**
   * The database file; it is made where there is none.
   */
  path: string;
}
export interface PostgresConfig {
  /**
   * The connection URL, which holds the password: `{env: NAME}` or `{file: PATH}`.
   */
  url: Secret;
  /**
   * Connections that are open at most.
   */
  connections: number;
}
export interface ContentConfig {
  /**
   * Whether to look for secrets: keys, tokens, passwords.
   */
  secrets: boolean;
  /**
   * Which personal data to look for.
   */
  personal_data: readonly ('email' | 'card' | 'ssn' | 'iban')[];
  /**
   * Whether to look for text that people do not see: control sequences, invisible and direction-changing characters.
   */
  hidden_text: boolean;
  /**
   * The largest message that is looked through; in a larger one the finding `content.too_large` stands in for what was not looked at.
   */
  max_scan_bytes: number;
}
export interface LimitsConfig {
  /**
   * The largest request body.
   */
  body_bytes: number;
  /**
   * How deep a request's JSON may be nested.
   */
  json_depth: number;
  /**
   * Agent sessions that are open at a time.
   */
  sessions: number;
  /**
   * Sessions of one identity; the one idle longest makes room for a new one.
   */
  sessions_per_identity: number;
  /**
   * How long an idle session stays open, in seconds.
   */
  session_idle_s: number;
  /**
   * Calls that are served at a time; one more is answered with 503.
   */
  calls_in_flight: number;
  /**
   * How long one call may take, upstream included.
   */
  call_timeout_ms: number;
  /**
   * How long an agent may take to answer what an upstream asks it (sampling, elicitation, roots).
   */
  question_timeout_ms: number;
  /**
   * How long a client may take to send a request's headers.
   */
  header_timeout_ms: number;
  /**
   * How long a client may take to send a request's body.
   */
  body_timeout_ms: number;
  /**
   * How long a stop waits for calls in flight.
   */
  drain_timeout_ms: number;
  /**
   * What is kept for one stream whose client reads slowly or has to resume; beyond that the stream is closed.
   */
  stream_buffer_bytes: number;
  /**
   * Earlier calls of an identity that policy sees.
   */
  history_entries: number;
  /**
   * How long a call and its labels stay in an identity's history, in seconds.
   */
  history_window_s: number;
  /**
   * Identities whose history is kept in memory; beyond that, those whose window has passed go first.
   */
  history_identities: number;
}
export interface LogConfig {
  /**
   * The least important level that is written; `debug` adds stack traces.
   */
  level: 'debug' | 'info' | 'warn' | 'error';
  /**
   * `json`: one object a line. `pretty`: for people at a terminal.
   */
  format: 'json' | 'pretty';
}
export interface TelemetryConfig {
  otlp?: OtlpConfig;
}
export interface OtlpConfig {
  /**
   * The receiver's address; `/v1/traces`, `/v1/metrics` and `/v1/logs` are below it.
   */
  endpoint: string;
  /**
   * Headers that each request carries; a value is text, `{env: NAME}` or `{file: PATH}`.
   */
  headers: {
    [k: string]: string | Secret;
  };
  /**
   * Whether calls are traced.
   */
  traces: boolean;
  /**
   * Whether metrics are sent, beside `/metrics`.
   */
  metrics: boolean;
  /**
   * Whether the gateway's own log is sent, beside standard output. Audit records go by `audit.sinks`.
   */
  logs: boolean;
  /**
   * The share of traces that begin here which is kept. An agent's own trace context says for itself whether it is kept.
   */
  sample_ratio: number;
  /**
   * How often metrics are sent.
   */
  metrics_interval_ms: number;
}
export interface MetricsConfig {
  /**
   * Whether metrics are served.
   */
  enabled: boolean;
  /**
   * The address of the listener that `port` opens.
   */
  host: string;
  /**
   * A port of their own for metrics. Without it they are served beside the endpoints, to anyone who reaches those.
   */
  port?: number;
}
