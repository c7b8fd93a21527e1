import type { HoldRequest } from '../model/hold-request.ts';
import type { Environment } from './application.ts';

/** Days in UTC, `2026-11-21`, both included; without `until` the one day. */
export interface EraseRequest {
  readonly from: string;
  readonly until?: string;
}

export interface HoldRow extends HoldRequest {
  readonly id: string;
  readonly madeBy: string;
  readonly madeAtMs: number;
}

/** What is taken away of the record before its time, and what is kept beyond it. Each action is recorded before it takes effect. */
export interface KeepingTools {
  /** The days whose key was destroyed, with the inputs that a hold kept. @throws GatewayError `request.invalid`, `store.unavailable` */
  erase(configPath: string, env: Environment, request: EraseRequest): Promise<readonly { readonly day: string; readonly held: number }[]>;
  holds(configPath: string, env: Environment): Promise<readonly HoldRow[]>;
  addHold(configPath: string, env: Environment, hold: HoldRequest): Promise<HoldRow>;
  /** @throws GatewayError `not_found` */
  removeHold(configPath: string, env: Environment, id: string): Promise<void>;
}
