/**
 * The process groups that the gateway started. Whatever way the gateway ends, short of SIGKILL, they end with it: one `exit` listener for
 * all of them. After a SIGKILL a child sees the end of its standard input, which well-made servers take as the end.
 */
export class ProcessGroups {
  readonly #leaders = new Set<number>();

  constructor() {
    process.on('exit', this.#onExit);
  }

  add(leader: number): void {
    this.#leaders.add(leader);
  }

  /** Sends a signal to all processes of a group. A group that is gone already is what was wanted. */
  signal(leader: number, signal: 'SIGTERM' | 'SIGKILL'): void {
    try {
      process.kill(process.platform === 'win32' ? leader : -leader, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH' && (error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    }
  }

  /** The leader ended: what it left behind is ended too. */
  reap(leader: number): void {
    if (!this.#leaders.delete(leader)) return;
    if (process.platform !== 'win32') this.signal(leader, 'SIGKILL');
  }

  close(): void {
    process.off('exit', this.#onExit);
    this.#onExit();
  }

  readonly #onExit = (): void => {
    for (const leader of this.#leaders) this.signal(leader, 'SIGKILL');
    this.#leaders.clear();
  };
}
