/** What the exit code of a command says. `docs/reference/cli.md` has the same table. */
export const exitCodes = {
  ok: 0,
  /** The command ran and its answer is no: a test failed, a check found faults, the audit chain is broken. */
  failed: 1,
  /** The command line or the configuration is wrong; nothing was done. */
  usage: 2,
  /** Not signed in, or not allowed. */
  denied: 3,
  /** The gateway, the database or the issuer cannot be reached. */
  unreachable: 4,
  /** The command ran and cannot say: neither proved nor refuted. */
  undecided: 5,
} as const;

export const exitHelp = `
exit codes:
  0  done
  1  the answer is no: a check, test or verification failed
  2  the command line or the configuration is wrong; nothing was done
  3  not signed in, or not allowed
  4  the gateway, the database or the issuer cannot be reached
  5  it cannot be decided: neither proved nor refuted`;
