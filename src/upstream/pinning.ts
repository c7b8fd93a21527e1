import { digestText } from '../model/digest.ts';
import type { ListedTool } from './catalogue.ts';
import type { PinBook, UpstreamOptions } from './types.ts';

/** What is known of a definition: whether it is the one that was reviewed or first seen, and if it is another than that one, why. */
export interface PinState {
  readonly pinned: boolean;
  /** Why the tool is kept from lists until somebody looks at it; `undefined` where nothing speaks against it or policy alone decides. */
  readonly quarantined: string | undefined;
}

const pinned: PinState = { pinned: true, quarantined: undefined };

/**
 * Compares a tool's definition with what was reviewed (a configured digest, the lockfile) or, where that is asked for, seen first.
 * @throws whatever the pin book throws; the caller then treats the tool as not pinned
 */
export async function pinState(options: UpstreamOptions, tool: ListedTool, pins: PinBook): Promise<PinState> {
  const configured = Object.hasOwn(options.tools, tool.name) ? options.tools[tool.name]?.digest : undefined;
  if (configured !== undefined)
    return configured === tool.digest ? pinned : unpinned(options, 'its definition is not the one whose digest is configured');
  switch (options.pinning) {
    case 'config':
      return { pinned: false, quarantined: undefined };
    case 'lockfile': {
      const locked = lockedTool(options, tool.name);
      if (locked === undefined) return unpinned(options, 'it is not in the lockfile');
      return locked.digest === tool.digest ? pinned : unpinned(options, 'its definition is not the one in the lockfile');
    }
    case 'first_seen': {
      const first = await pins.get(options.name, tool.name);
      if (first === undefined) await pins.put(options.name, tool.name, tool.digest);
      return first === undefined || first === tool.digest ? pinned : unpinned(options, 'its definition is not the one that was seen first');
    }
    default:
      return options.pinning satisfies never;
  }
}

function unpinned(options: UpstreamOptions, why: string): PinState {
  return { pinned: false, quarantined: options.quarantine === 'policy' ? undefined : why };
}

/** The labels that may be believed: the server's, the tool's, and for a pinned tool those of the lockfile. */
export function trustedLabels(options: UpstreamOptions, tool: ListedTool, isPinned: boolean): readonly string[] {
  const configured = Object.hasOwn(options.tools, tool.name) ? (options.tools[tool.name]?.labels ?? []) : [];
  const own = [...new Set([...(options.defaultLabels ?? []), ...configured])];
  if (options.pinning !== 'lockfile' || !isPinned) return own;
  const locked = lockedTool(options, tool.name);
  return locked?.digest === tool.digest ? [...new Set([...own, ...locked.labels])] : own;
}

/** Whether instructions are those of the lockfile; `true` where the server's pinning does not ask. */
export function areInstructionsLocked(options: UpstreamOptions, text: string): boolean {
  return options.pinning !== 'lockfile' || options.lock?.instructions?.digest === digestText(text);
}

function lockedTool({ lock }: UpstreamOptions, name: string): NonNullable<UpstreamOptions['lock']>['tools'][string] | undefined {
  return lock !== undefined && Object.hasOwn(lock.tools, name) ? lock.tools[name] : undefined;
}
