import type { Input } from '../model/input.ts';

/** Every top-level member of the input; the compiler holds it complete. */
const members = {
  version: true,
  phase: true,
  at: true,
  at_ns: true,
  request: true,
  identity: true,
  target: true,
  tool: true,
  item: true,
  arguments: true,
  findings: true,
  history: true,
  session: true,
  usage: true,
  approval: true,
  result: true,
  tools: true,
  items: true,
  environment: true,
} satisfies Record<keyof Input, true>;

/** Paths of all members of the input but those that are `known`, for a partial evaluation: one that is left out would count as absent. */
export function unknownsBut(known: readonly (keyof Input)[]): readonly string[] {
  return (Object.keys(members) as (keyof Input)[]).filter((member) => !known.includes(member)).map((member) => `input.${member}`);
}
