import { hash } from 'node:crypto';
import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

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
  #watchers: FSWatcher[] = [];
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
    for (const watcher of this.#watchers) watcher.close();
    // Folders are watched, not files: a file that is replaced by a rename takes its own watch with it.
    this.#watchers = [...new Set(files.map((file) => dirname(file)))].flatMap((folder) => this.#watchFolder(folder));
  }

  close(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#pending);
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  #watchFolder(folder: string): FSWatcher[] {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#wait());
      // A watch that breaks (its folder is gone, the system has no more) is no loss: the poll goes on.
      watcher.on('error', () => watcher.close());
      return [watcher];
    } catch {
      return []; // As above: the poll alone watches this folder.
    }
  }

  #wait(): void {
    const nowMs = Date.now();
    // Something else in the folder, a database, may be written all the time: that must not put the look off for ever.
    if (this.#pending === undefined) this.#waitingSinceMs = nowMs;
    else if (nowMs - this.#waitingSinceMs > this.#debounceMs * maxDebounces) return;
    clearTimeout(this.#pending);
    this.#pending = setTimeout(() => this.#compare(), this.#debounceMs).unref();
  }

  #compare(): void {
    clearTimeout(this.#pending);
    this.#pending = undefined;
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
