import type { Correlator } from './correlator.ts';
import { initializeParams, readHandshake, type Handshake, type Introduction } from './handshake.ts';
import { discoversModern, envelopeOf, isModernError, readDiscovery } from './modern-wire.ts';
import type { Era } from './types.ts';
import { errorCodeOf, notificationText } from './wire.ts';
import { WrongEra } from './wrong-era.ts';

/**
 * The first words with a child that just started, as its era has them.
 * @throws GatewayError when it does not answer; Error in words for the log when it answers what cannot be worked with
 */
export function greetChild(
  era: Era,
  correlator: Correlator,
  send: (text: string) => boolean,
  introduction: Introduction,
  timeoutMs: number,
): Promise<Handshake> {
  return era === 'modern' ? discover(correlator, introduction, timeoutMs) : initialize(correlator, send, introduction, timeoutMs);
}

async function initialize(
  correlator: Correlator,
  send: (text: string) => boolean,
  introduction: Introduction,
  timeoutMs: number,
): Promise<Handshake> {
  const message = { kind: 'request', method: 'initialize', params: initializeParams(introduction) } as const;
  const reply = await correlator.request(message, { timeoutMs }, undefined);
  if (reply.kind === 'error') {
    const code = errorCodeOf(reply.error);
    const words = `initialize was refused with code ${code}`;
    throw isModernError(code) ? new WrongEra(words) : new Error(words);
  }
  const handshake = readHandshake(reply.result);
  send(notificationText('notifications/initialized', undefined));
  return handshake;
}

async function discover(correlator: Correlator, introduction: Introduction, timeoutMs: number): Promise<Handshake> {
  const message = { kind: 'request', method: 'server/discover', params: { _meta: envelopeOf(introduction) } } as const;
  const reply = await correlator.request(message, { timeoutMs }, undefined);
  if (reply.kind === 'error') throw new WrongEra(`server/discover was refused with code ${errorCodeOf(reply.error)}`);
  if (!discoversModern(reply.result)) throw new WrongEra('it does not name the modern version');
  return readDiscovery(reply.result);
}
