import { lstatSync, watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Tells what happens to one file, and as far as can be to nothing else in its folder: a database beside it is written many times a call, and each
 * write would wake this thread. A symbolic link, and a file that is not there, can only be watched by their folder. Does not keep the
 * process alive.
 */
export class FileWatch {
  readonly #path: string;
  readonly #touched: () => void;
  readonly #failed: (error: unknown) => void;
  #watcher: FSWatcher | undefined;
  #isBroken = false;

  /** @param failed hears once of a watch that cannot be set or broke: its folder is gone, the system has no more of them */
  constructor(path: string, touched: () => void, failed: (error: unknown) => void) {
    this.#path = path;
    this.#touched = touched;
    this.#failed = failed;
    this.renew();
  }

  /** Watches what is at the path now; to be called after each `touched`, since a file that is replaced takes its watch with it. */
  renew(): void {
    this.close();
    try {
      const isFile = lstatSync(this.#path, { throwIfNoEntry: false })?.isFile() === true;
      const watcher = watch(isFile ? this.#path : dirname(this.#path), { persistent: false }, this.#touched);
      watcher.on('error', (error) => {
        watcher.close();
        this.#fail(error);
      });
      this.#watcher = watcher;
      this.#isBroken = false;
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (!this.#isBroken) this.#failed(error);
    this.#isBroken = true;
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
