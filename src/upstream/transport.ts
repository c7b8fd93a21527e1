import type { Channel, ChannelEvents, RetrySafe } from './channel.ts';
import { credentialSource } from './credentials.ts';
import { EraBook } from './era-book.ts';
import { EraChannel } from './era-channel.ts';
import type { Introduction } from './handshake.ts';
import { HttpChannel } from './http-channel.ts';
import { probeHttp } from './http-probe.ts';
import { httpTarget } from './http-target.ts';
import { ModernChannel } from './modern-channel.ts';
import { ModernHttp } from './modern-http.ts';
import { envelopeOf } from './modern-wire.ts';
import { speaksSse } from './older-transport.ts';
import { ownEvents } from './own-events.ts';
import type { ProcessGroups } from './process-groups.ts';
import { SessionMemory } from './session-memory.ts';
import { eraLifeMs } from './timing.ts';
import { SseChannel } from './sse-channel.ts';
import { stdioTransport } from './stdio-transport.ts';
import type { JsonObject } from '../model/json.ts';
import type { Dialect, Era, UpstreamMessage, UpstreamOptions, UpstreamPorts, UpstreamTiming } from './types.ts';

/** Who a channel is for. Without an owner it is the gateway's own. */
export interface ChannelRequest {
  readonly owner: string | undefined;
  readonly introduction: Introduction;
  readonly onMessage: ((message: UpstreamMessage) => void) | undefined;
  readonly listens: boolean;
  readonly retrySafe: RetrySafe;
  /** The input schema of a tool, as the catalogue has it now. */
  readonly schemaOf: (tool: string) => JsonObject | undefined;
}

/** Makes channels to one upstream; an era or a transport more is one more branch here. */
export interface TransportFactory {
  channel(request: ChannelRequest): Channel;
  /** The era that the upstream speaks, as far as it is known. */
  readonly era: Era | undefined;
  close(): Promise<void>;
}

/** What carries messages to an upstream, as its options say. Nothing connects yet. */
export function transportOf(
  options: UpstreamOptions,
  ports: UpstreamPorts,
  timing: UpstreamTiming,
  groups: ProcessGroups,
  events: ChannelEvents,
): TransportFactory {
  const { name: upstream, timeoutMs, maxResponseBytes: maxMessageBytes } = options;
  if (options.transport.kind === 'stdio') return stdioTransport(options, ports, timing, groups, events);
  const target = httpTarget(options);
  const credentials = credentialSource(options);
  const shared = { upstream, target, credentials, timeoutMs, maxMessageBytes, timing };
  if (options.transport.kind === 'sse') {
    return {
      era: 'legacy',
      channel: (request) => new SseChannel({ ...shared, ...request, memory: new SessionMemory(), events: ownEvents(events, request) }),
      close: () => target.close(),
    };
  }
  const eras = new EraBook({
    choice: options.era ?? 'auto',
    lifeMs: eraLifeMs,
    onFound: (found) => events.log({ level: 'info', event: 'era_found', upstream, detail: foundDetail(found) }),
    speaksSse: () => speaksSse(shared),
    probe: () =>
      probeHttp({ ...shared, onStray: events.onStray, envelope: envelopeOf({ clientInfo: ports.clientInfo, capabilities: {} }) }),
  });
  return {
    get era() {
      return eras.known === 'sse' ? 'legacy' : eras.known;
    },
    channel: (request) => {
      const { owner, introduction, listens, retrySafe, schemaOf } = request;
      const { protocolVersion, clientInfo, capabilities } = introduction;
      const own = { introduction: { protocolVersion, clientInfo, capabilities }, events: ownEvents(events, request) };
      const memory = new SessionMemory();
      const modern = (): Channel => {
        const { onListChanged, onUnreachable, log, onStray } = own.events;
        const carrier = new ModernHttp({ ...shared, retrySafe, schemaOf, onListChanged, onUnreachable, log, onStray });
        return new ModernChannel({ ...shared, ...own, carrier, memory, hearsLists: owner === undefined });
      };
      const legacy = (isListening: boolean): Channel => new HttpChannel({ ...shared, ...own, memory, listens: isListening, retrySafe });
      const sse = (): Channel => new SseChannel({ ...shared, ...own, memory });
      return new EraChannel({
        upstream,
        eras,
        listens,
        make: (dialect, isListening) => (dialect === 'modern' ? modern() : dialect === 'sse' ? sse() : legacy(isListening)),
      });
    },
    close: () => target.close(),
  };
}

/** What the log says of an era that was found. */
function foundDetail(dialect: Dialect): Readonly<Record<string, string>> {
  return dialect === 'sse' ? { era: 'legacy', transport: 'http+sse' } : { era: dialect };
}
