import type { Config, EndpointConfig, UpstreamConfig } from '../config/schema-types.ts';
import { allRevealed } from '../config/secret.ts';
import { GatewayError } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import type { JsonObject } from '../model/json.ts';
import { buildEndpoint, type EndpointOptions, type EndpointView } from '../upstream/endpoint.ts';
import type { Catalogue } from '../upstream/catalogue.ts';
import { readLockfile, type LockedServer, type Lockfile } from '../upstream/lockfile.ts';
import type { UpstreamCredential, UpstreamOptions, UpstreamTransport } from '../upstream/types.ts';

/** What was reviewed: the lockfile where an upstream asks for it. @throws GatewayError `config.invalid` */
function reviewed({ upstreams, lockfile }: Config): Lockfile | undefined {
  const using = Object.entries(upstreams).find(([, { pinning }]) => pinning === 'lockfile');
  if (using === undefined) return undefined;
  const lock = readLockfile(lockfile);
  if (lock !== undefined) return lock;
  throw new GatewayError(
    'config.invalid',
    `there is no lockfile \`${lockfile}\`, which \`upstreams.${using[0]}.pinning\` asks for; write it with \`castellan lock\``,
  );
}

/**
 * The upstreams of a configuration, as the upstream room takes them. Reads the lockfile where one is used.
 * @throws GatewayError `config.invalid` when that is missing or not good
 */
export function upstreamOptions(config: Config, lock = reviewed(config)): readonly UpstreamOptions[] {
  return Object.entries(config.upstreams).map(([name, upstream]) => ({
    name,
    transport: transportOf(upstream),
    credential: credentialOf(upstream),
    timeoutMs: upstream.timeout_ms,
    maxResponseBytes: upstream.max_response_bytes,
    tools: Object.fromEntries(
      Object.entries(upstream.tools).map(([tool, { labels, digest }]) => [
        tool,
        { labels, ...(digest === undefined ? {} : { digest: digest as Digest }) },
      ]),
    ),
    defaultLabels: upstream.labels,
    pinning: upstream.pinning,
    quarantine: upstream.quarantine,
    ...(lock !== undefined && Object.hasOwn(lock.servers, name) ? { lock: lock.servers[name] as LockedServer } : {}),
    idempotentTools: Object.entries(upstream.tools).flatMap(([tool, { idempotent }]) => (idempotent ? [tool] : [])),
    allowPrivateNetwork: (upstream.http ?? upstream.sse)?.allow_private_network ?? true,
    offer: upstream.offer,
    era: upstream.era,
  }));
}

function transportOf({ http, sse, stdio }: UpstreamConfig): UpstreamTransport {
  if (http !== undefined) return { kind: 'http', url: http.url, headers: allRevealed(http.headers) };
  if (sse !== undefined) return { kind: 'sse', url: sse.url, headers: allRevealed(sse.headers) };
  if (stdio !== undefined) return { kind: 'stdio', command: stdio.command, args: stdio.args, env: allRevealed(stdio.env), cwd: stdio.cwd };
  throw new TypeError('an upstream has one of `http`, `sse` and `stdio`: the configuration was checked for it');
}

function credentialOf({ credential }: UpstreamConfig): UpstreamCredential {
  if (credential?.static !== undefined) {
    const { header, scheme, value } = credential.static;
    return { kind: 'static', header, value: scheme === undefined ? value.reveal() : `${scheme} ${value.reveal()}` };
  }
  if (credential?.client_credentials !== undefined) {
    const { issuer, client_id: clientId, client_secret: secret, scope, resource } = credential.client_credentials;
    return {
      kind: 'client_credentials',
      issuer,
      clientId,
      clientSecret: secret.reveal(),
      ...(scope === undefined ? {} : { scope }),
      ...(resource === undefined ? {} : { resource }),
    };
  }
  return { kind: 'none' };
}

function endpointOptions(name: string, endpoint: EndpointConfig): EndpointOptions {
  return {
    name,
    upstreams: endpoint.upstreams.map(({ name: upstream, tools, exclude }) => ({ upstream, tools, exclude })),
    rename: endpoint.rename,
    toolSearch: endpoint.tool_search.enabled
      ? { results: endpoint.tool_search.results, maxResults: endpoint.tool_search.max_results }
      : undefined,
    variants: endpoint.variants.map((variant) => ({
      ...variant,
      pin: variant.pin as JsonObject,
      narrow: variant.narrow as Readonly<Record<string, JsonObject>>,
    })),
  };
}

/** The endpoints of a configuration over the catalogue as it is now; built again only when either changed. */
export class Endpoints {
  readonly #catalogue: () => Catalogue;
  #config: Config;
  #views = new Map<string, EndpointView>();

  constructor(config: Config, catalogue: () => Catalogue) {
    this.#config = config;
    this.#catalogue = catalogue;
  }

  use(config: Config): void {
    this.#config = config;
    this.#views = new Map();
  }

  names(): readonly string[] {
    return Object.keys(this.#config.endpoints);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#config.endpoints, name);
  }

  /** Whether an endpoint has this upstream behind it. */
  uses(name: string, upstream: string): boolean {
    return this.#config.endpoints[name]?.upstreams.some((one) => one.name === upstream) === true;
  }

  view(name: string): EndpointView | undefined {
    const catalogue = this.#catalogue();
    const kept = this.#views.get(name);
    if (kept?.revision === catalogue.revision) return kept;
    const endpoint = this.has(name) ? this.#config.endpoints[name] : undefined;
    if (endpoint === undefined) return undefined;
    const built = buildEndpoint(catalogue, endpointOptions(name, endpoint));
    const { instructions: own } = endpoint;
    const view = own === undefined ? built : { ...built, instructions: { from: [], of: () => own } };
    this.#views.set(name, view);
    return view;
  }
}
