import type { Channel, ChannelEvents, RetrySafe } from './channel.ts';
import { credentialSource } from './credentials.ts';
import type { Introduction } from './handshake.ts';
import { HttpChannel } from './http-channel.ts';
import { httpTarget } from './http-target.ts';
import type { ProcessGroups } from './process-groups.ts';
import { SseChannel } from './sse-channel.ts';
import { StdioChannel } from './stdio-channel.ts';
import { StdioLink } from './stdio-link.ts';
import type { UpstreamMessage, UpstreamOptions, UpstreamPorts, UpstreamTiming } from './types.ts';

/** Who a channel is for. Without an owner it is the gateway's own. */
export interface ChannelRequest {
  readonly owner: string | undefined;
  readonly introduction: Introduction;
  readonly onMessage: ((message: UpstreamMessage) => void) | undefined;
  readonly listens: boolean;
  readonly retrySafe: RetrySafe;
}

/** Makes channels to one upstream; an era or a transport more is one more branch here. */
export interface TransportFactory {
  channel(request: ChannelRequest): Channel;
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
  if (options.transport.kind === 'stdio') {
    const capabilities = Object.fromEntries((options.offer ?? []).map((name) => [name, {}]));
    const introduction = { protocolVersion: '2025-11-25', clientInfo: ports.clientInfo, capabilities };
    const link = new StdioLink({ options, introduction, groups, events, timing });
    return { channel: ({ owner, onMessage }) => new StdioChannel(link, owner, onMessage), close: () => link.close() };
  }
  const target = httpTarget(options);
  const credentials = credentialSource(options);
  const shared = { upstream, target, credentials, timeoutMs, maxMessageBytes, timing };
  const isSse = options.transport.kind === 'sse';
  return {
    channel: ({ introduction, onMessage, listens, retrySafe }) => {
      const { protocolVersion, clientInfo, capabilities } = introduction;
      const parts = {
        ...shared,
        introduction: { protocolVersion, clientInfo, capabilities },
        listens,
        retrySafe,
        events: { ...events, onMessage },
      };
      return isSse ? new SseChannel(parts) : new HttpChannel(parts);
    },
    close: () => target.close(),
  };
}
