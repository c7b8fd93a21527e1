/**
 * SQLSTATE classes and codes that mean "not now": connection faults, resources (a full disk is 53100), operator intervention (a
 * statement timeout is 57014), system errors, a login that fails while a secret is rotated, serialisation faults, locks, a read-only standby.
 * @see https://www.postgresql.org/docs/15/errcodes-appendix.html
 */
const classes = new Set(['08', '28', '3D', '40', '53', '57', '58']);
const codes = new Set(['25006', '25P03', '55P03', 'XX001', 'XX002']);

/** True for a fault that is not the statement's own: the database is away, full, too slow, or the connection died. */
export function isPostgresOutage(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code)) {
    return classes.has(code.slice(0, 2)) || codes.has(code);
  }
  // What has no SQLSTATE came from the socket or the driver: refused, reset, timed out, ended. Our own TypeErrors are not such faults.
  return error instanceof Error && (error.name === 'Error' || error.name === 'AggregateError');
}
