import type { ChannelEvents } from './channel.ts';
import type { ChannelRequest } from './transport.ts';

/** What one owner's channel tells: what comes on it belongs to that owner's session, if to any. */
export function ownEvents(events: ChannelEvents, { owner, onMessage }: Pick<ChannelRequest, 'owner' | 'onMessage'>): ChannelEvents {
  if (owner === undefined) return { ...events, onMessage };
  return { ...events, onMessage, onStray: (message) => events.onStray({ ...message, session: owner }) };
}
