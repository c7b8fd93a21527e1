import { statSync, watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Calls `changed` once a folder, or the folder of a file, has been quiet for `debounceMs` after a change, and in any case each `recheckMs`: file events get lost (network
 * volumes, bind mounts, an exhausted limit of watches). Gives a function that stops it. Neither keeps the process alive.
 */
export function watchFolders(
  paths: readonly string[],
  timing: { readonly debounceMs: number; readonly recheckMs: number },
  changed: () => void,
  unwatched: (path: string, error: unknown) => void,
): () => void {
  let quiet: NodeJS.Timeout | undefined;
  const touched = (): void => {
    clearTimeout(quiet);
    quiet = setTimeout(changed, timing.debounceMs).unref();
  };
  const watchers: FSWatcher[] = [];
  for (const path of paths) {
    try {
      // A file is mostly replaced and not written to, which only its folder tells.
      const isFolder = statSync(path).isDirectory();
      const watcher = watch(isFolder ? path : dirname(path), { recursive: isFolder, persistent: false }, touched);
      watcher.on('error', (error) => {
        watcher.close();
        unwatched(path, error);
      });
      watchers.push(watcher);
    } catch (error) {
      unwatched(path, error);
    }
  }
  const recheck = setInterval(changed, timing.recheckMs).unref();
  return () => {
    clearTimeout(quiet);
    clearInterval(recheck);
    for (const watcher of watchers) watcher.close();
  };
}
