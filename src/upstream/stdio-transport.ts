import type { Channel, ChannelEvents } from './channel.ts';
import { EraBook } from './era-book.ts';
import { EraChannel } from './era-channel.ts';
import { ModernChannel } from './modern-channel.ts';
import { ModernStdio } from './modern-stdio.ts';
import { envelopeOf } from './modern-wire.ts';
import { ownEvents } from './own-events.ts';
import type { ProcessGroups } from './process-groups.ts';
import { SessionMemory } from './session-memory.ts';
import { StdioChannel } from './stdio-channel.ts';
import type { ProbedChild } from './probed-child.ts';
import { childLineBytes, StdioLink } from './stdio-link.ts';
import { probeStdio } from './stdio-probe.ts';
import { eraLifeMs } from './timing.ts';
import type { ChannelRequest, TransportFactory } from './transport.ts';
import type { Dialect, Era, UpstreamOptions, UpstreamPorts, UpstreamTiming } from './types.ts';
import { legacyVersions } from './wire.ts';

/** Channels to one program, which all owners share. */
export function stdioTransport(
  options: UpstreamOptions,
  ports: UpstreamPorts,
  timing: UpstreamTiming,
  groups: ProcessGroups,
  events: ChannelEvents,
): TransportFactory {
  const { name: upstream, timeoutMs, transport } = options;
  if (transport.kind !== 'stdio') throw new TypeError('only a stdio upstream has a child');
  const capabilities = Object.fromEntries((options.offer ?? []).map((name) => [name, {}]));
  const introduction = { protocolVersion: legacyVersions[0], clientInfo: ports.clientInfo, capabilities };
  let open: { readonly era: Era; readonly link: StdioLink } | undefined;
  let isClosed = false;
  let running: ProbedChild | undefined;
  const linkOf = (era: Era): StdioLink => {
    if (open?.era === era) return open.link;
    // One program runs at a time: the other era's proved wrong.
    void open?.link.close();
    const link = new StdioLink({ options, era, introduction, groups, events, timing, running: era === 'modern' ? running : undefined });
    running = undefined;
    open = { era, link };
    if (isClosed) void link.close();
    return link;
  };
  const eras = new EraBook({
    choice: options.era ?? 'auto',
    lifeMs: eraLifeMs,
    onFound: (era) => events.log({ level: 'info', event: 'era_found', upstream, detail: { era } }),
    probe: async () => {
      const found = await probeStdio({
        ...{ upstream, transport, groups, timeoutMs, killGraceMs: timing.killGraceMs, maxLineBytes: childLineBytes(options) },
        envelope: envelopeOf(introduction),
        onStray: events.onStray,
      });
      if (open?.era === found.era || isClosed) await found.running?.child.stop(timing.killGraceMs);
      else running = found.running;
      return found.era;
    },
    // A running program does not learn another era, and a sibling beside it may not be welcome.
    holds: () => open?.link.connection !== undefined,
  });
  const make = (era: Era, request: ChannelRequest, memory: SessionMemory): Channel => {
    const { owner, introduction: own, onMessage } = request;
    const link = linkOf(era);
    if (era === 'legacy') return new StdioChannel(link, owner, onMessage);
    const carrier = new ModernStdio(link, owner);
    const heard = ownEvents(events, request);
    return new ModernChannel({ upstream, timing, carrier, memory, introduction: own, events: heard, hearsLists: owner === undefined });
  };
  return {
    get era() {
      return eras.known === 'sse' ? 'legacy' : eras.known;
    },
    channel: (request) => {
      const memory = new SessionMemory();
      const made = (era: Dialect): Channel => make(era === 'modern' ? 'modern' : 'legacy', request, memory);
      return new EraChannel({ upstream, eras, listens: request.listens, make: made });
    },
    close: async () => {
      isClosed = true;
      await running?.child.stop(timing.killGraceMs);
      await open?.link.close();
    },
  };
}
