/** Address of a worker's module beside the calling one: `.ts` when sources are run directly, `.js` when compiled. */
export function workerUrl(callerUrl: string, path: string): URL {
  return new URL(path + (callerUrl.endsWith('.ts') ? '.ts' : '.js'), callerUrl);
}
