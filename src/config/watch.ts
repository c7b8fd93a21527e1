import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { FileWatch } from '../model/file-watch.ts';

/** A watch on files, until it is closed. */
export interface ConfigWatch {
  /** Watches these files from now on. Those that were watched before are compared with what they held then. */
  readonly follow: (files: readonly string[]) => void;
  readonly close: () => void;
}

export interface WatchOptions {
  /** How long nothing may happen before a change is told: a save is often several writes. */
  readonly debounceMs?: number;
  /** How often the files are looked at without being told, for file systems that tell nothing. */
  readonly pollMs?: number;
}

/**
 * Calls `onChange` after the contents of a file changed: written in place, replaced by a rename, or behind a swapped symbolic link as
 * Kubernetes mounts have them. A touch without a change is not told. The watch does not keep the process alive.
 */
export function watchConfig(files: string | readonly string[], onChange: () => void, options: WatchOptions = {}): ConfigWatch {
  const watched = new WatchedFiles([files].flat(), onChange, options.debounceMs ?? 200, options.pollMs ?? 5_000);
  return { follow: (next) => watched.follow(next), close: () => watched.close() };
}

/** How many times its own length a wait may be put off. */
const maxDebounces = 4;

class WatchedFiles {
  readonly #onChange: () => void;
  readonly #debounceMs: number;
  readonly #poll: NodeJS.Timeout;
  #contents = new Map<string, string>();
  #watches: FileWatch[] = [];
  #pending: NodeJS.Timeout | undefined;
  #waitingSinceMs = 0;

  constructor(files: readonly string[], onChange: () => void, debounceMs: number, pollMs: number) {
    this.#onChange = onChange;
    this.#debounceMs = debounceMs;
    this.follow(files);
    this.#poll = setInterval(() => this.#compare(), pollMs).unref();
  }

  follow(files: readonly string[]): void {
    this.#contents = new Map(files.map((file) => [file, this.#contents.get(file) ?? contentsOf(file)]));
    for (const watch of this.#watches) watch.close();
    // A watch that breaks is no loss: the poll goes on.
    this.#watches = files.map(
      (file) =>
        new FileWatch(
          file,
          () => this.#wait(),
          () => undefined,
        ),
    );
  }

  close(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#pending);
    for (const watch of this.#watches) watch.close();
    this.#watches = [];
  }

  #wait(): void {
    const nowMs = Date.now();
    // Something else in a folder that is watched may be written all the time: that must not put the look off for ever.
    if (this.#pending === undefined) this.#waitingSinceMs = nowMs;
    else if (nowMs - this.#waitingSinceMs > this.#debounceMs * maxDebounces) return;
    clearTimeout(this.#pending);
    this.#pending = setTimeout(() => this.#compare(), this.#debounceMs).unref();
  }

  #compare(): void {
    clearTimeout(this.#pending);
    this.#pending = undefined;
    for (const watch of this.#watches) watch.renew();
    let changed = false;
    for (const [file, before] of this.#contents) {
      const now = contentsOf(file);
      if (now === before) continue;
      this.#contents.set(file, now);
      changed = true;
    }
    if (changed) this.#onChange();
  }
}

/** A digest of what a file holds; a file that cannot be read holds its error. */
function contentsOf(file: string): string {
  try {
    return hash('sha256', readFileSync(file));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable';
  }
}
