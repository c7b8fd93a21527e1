import { eraseDays, type ErasedDay } from '../audit/erase.ts';
import { addHold, listHolds, removeHold, type Hold } from '../audit/holds.ts';
import type { KeyRing } from '../audit/sealed-keys.ts';
import type { EraseRequest } from '../cli/keeping-tools.ts';
import type { HoldRequest } from '../model/hold-request.ts';
import type { Db } from '../model/ports.ts';

/** Erasure and holds of one tenant; whoever calls them records it first. */
export interface KeepingPorts {
  erase(request: EraseRequest, nowMs: number): Promise<ErasedDay[]>;
  holds(): Promise<Hold[]>;
  addHold(hold: HoldRequest, madeBy: string, nowMs: number): Promise<Hold>;
  removeHold(id: string): Promise<void>;
}

/** @param ring the keys that are at hand when something is asked for */
export function keepingPorts(db: Db, ring: () => KeyRing | undefined, tenant: string): KeepingPorts {
  return {
    erase: ({ from, until }, nowMs) => eraseDays(db, ring(), { tenant, fromDay: from, untilDay: until ?? from, why: 'erased', nowMs }),
    holds: () => listHolds(db, tenant),
    addHold: (hold, madeBy, nowMs) => addHold(db, tenant, { ...hold, madeBy }, nowMs),
    removeHold: (id) => removeHold(db, tenant, id),
  };
}
