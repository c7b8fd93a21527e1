import { statSync, watch, type FSWatcher } from 'node:fs';
import { FileWatch } from '../model/file-watch.ts';

/**
 * Calls `changed` once a folder or a file has been quiet for `debounceMs` after a change, and in any case each `recheckMs`: file events get lost
 * (network volumes, bind mounts, an exhausted limit of watches). Gives a function that stops it. Neither keeps the process alive.
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
    quiet = setTimeout(look, timing.debounceMs).unref();
  };
  const watchers: FSWatcher[] = [];
  const files: FileWatch[] = [];
  const look = (): void => {
    for (const file of files) file.renew();
    changed();
  };
  for (const path of paths) {
    try {
      if (!statSync(path).isDirectory()) {
        files.push(new FileWatch(path, touched, (error) => unwatched(path, error)));
        continue;
      }
      const watcher = watch(path, { recursive: true, persistent: false }, touched);
      watcher.on('error', (error) => {
        watcher.close();
        unwatched(path, error);
      });
      watchers.push(watcher);
    } catch (error) {
      unwatched(path, error);
    }
  }
  const recheck = setInterval(look, timing.recheckMs).unref();
  return () => {
    clearTimeout(quiet);
    clearInterval(recheck);
    for (const watcher of [...watchers, ...files]) watcher.close();
  };
}
