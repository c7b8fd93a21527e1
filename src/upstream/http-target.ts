import type { Dispatcher } from 'undici';
// Not the whole package: its own fetch, caches and mocks would take 3 MB that nobody uses.
import Pool from 'undici/lib/dispatcher/pool.js';
import { guardedLookup, isPrivateAddress } from './private-network.ts';
import { patientParser } from './patient-parser.ts';
import type { UpstreamOptions } from './types.ts';

/**
 * Connections that calls share at one upstream. What must get through while all of them wait has connections of its own: streams that stay
 * open, cancellations, and the replies to what an upstream asks in the middle of a call.
 */
const callConnections = 128;

/** Requests over kept-alive connections. */
export type Connections = Pick<Dispatcher, 'dispatch'>;

/** The HTTP server behind an upstream: where it is, and kept-alive connections to it. */
export interface HttpTarget {
  readonly url: URL;
  readonly path: string;
  readonly calls: Connections;
  readonly streams: Connections;
  /** Name and value in turn, as undici takes them fastest. */
  readonly headers: readonly string[];
  /** Held, so that the connections' own parser shares its code. */
  readonly parser: WebAssembly.Module | undefined;
  close(): Promise<void>;
}

/** @throws TypeError when the URL is not http or https, or is a private address where those are not allowed */
export function httpTarget(options: UpstreamOptions): HttpTarget {
  if (options.transport.kind === 'stdio') throw new TypeError('a stdio upstream has no URL');
  const url = new URL(options.transport.url);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new TypeError(`the URL of \`${options.name}\` is neither http nor https`);
  const closedNetwork = options.allowPrivateNetwork === false;
  if (closedNetwork && isPrivateAddress(url.hostname.replace(/^\[|\]$/g, ''))) {
    throw new TypeError(`the URL of \`${options.name}\` is a private address; set its \`allowPrivateNetwork\``);
  }
  const parser = patientParser();
  const pool = (connections: number | null): InstanceType<typeof Pool> =>
    new Pool(url.origin, {
      connections,
      pipelining: 1,
      allowH2: false,
      // Each call has one timer of its own over all of it; undici's would only cost.
      headersTimeout: 0,
      bodyTimeout: 0,
      connectTimeout: Math.min(options.timeoutMs, 10_000),
      maxHeaderSize: 32_768,
      ...(closedNetwork ? { connect: { lookup: guardedLookup } } : {}),
    });
  const calls = pool(callConnections);
  const streams = pool(null);
  return {
    url,
    path: url.pathname + url.search,
    calls,
    streams,
    parser,
    headers: Object.entries(options.transport.headers ?? {}).flat(),
    close: async () => {
      await Promise.all([calls.destroy(), streams.destroy()]);
    },
  };
}
