import type { RawAgent } from '../../support/gateway.ts';
import { echoCall, type HttpRequest, type Refusal } from './rig.ts';

export const bad400 = (code: string, rpc: number): Refusal => ({ status: 400, code, rpc });
export const notJson = bad400('json.invalid', -32700);
export const notRpc = bad400('rpc.invalid', -32600);
export const twice = bad400('json.duplicate_key', -32700);
export const unknownArgs: Refusal = { status: 200, code: 'rpc.params', rpc: -32602 };

/** Makes the request of a row around its canary; `agent` has an open session. */
export type Make = (canary: string, agent: RawAgent) => HttpRequest;
export const text =
  (make: (canary: string) => string): Make =>
  (canary) => ({ body: make(canary) });
export const value =
  (make: (canary: string) => unknown): Make =>
  (canary) => ({ body: JSON.stringify(make(canary)) });
export const call = (canary: string): string => JSON.stringify(echoCall(canary));
export const params = (canary: string): string => `"params":{"name":"echo","arguments":{"text":"${canary}"}}`;
export const nested = (depth: number, canary: string): string => `${'{"a":'.repeat(depth)}"${canary}"${'}'.repeat(depth)}`;

/** Title, how it ends, and how it is made. */
export type BadRequest = readonly [string, Refusal, Make];
