/** The cause of a fault that says: the upstream speaks the other era than was thought. What was sent was not executed. */
export class WrongEra extends Error {
  override readonly name = 'WrongEra';
}

/** Whether a fault comes from taking an upstream for the other era. */
export function isWrongEra(error: unknown): boolean {
  return isCausedBy(error, WrongEra);
}

/** Whether an error is of this kind, or one that caused it. */
export function isCausedBy(error: unknown, kind: new (...given: never[]) => Error): boolean {
  for (let one = error; one instanceof Error; one = one.cause) {
    const isOne: boolean = one instanceof kind;
    if (isOne) return true;
  }
  return false;
}
