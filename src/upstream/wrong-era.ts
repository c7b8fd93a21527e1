/** The cause of a fault that says: the upstream speaks the other era than was thought. What was sent was not executed. */
export class WrongEra extends Error {
  override readonly name = 'WrongEra';
}

/** Whether a fault comes from taking an upstream for the other era. */
export function isWrongEra(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) if (one instanceof WrongEra) return true;
  return false;
}
