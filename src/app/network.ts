import type { SinkNetwork } from '../sinks/sink.ts';
import { guardedLookup, isPrivateAddress } from '../upstream/private-network.ts';

/** Which addresses are private, as for upstreams, for whatever else the gateway sends to. */
export const network: SinkNetwork = { isPrivate: isPrivateAddress, guardedLookup };
