/**
 * The number under `key` at the top level of a JSON object, as its text, so that nanoseconds keep every digit; `undefined` when it is
 * not there or is no integer. `json` must be well-formed. Keys of nested objects cannot stand in for it: arguments come from agents.
 */
export function topLevelInteger(json: string, key: string): string | undefined {
  const wanted = JSON.stringify(key);
  let depth = 0;
  let found: string | undefined;
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) depth--;
    else if (code === 0x22) {
      const end = endOfString(json, at);
      if (depth === 1 && end - at === wanted.length && json.startsWith(wanted, at)) {
        const value = /^\s*:\s*(-?\d+)\s*[,}]/.exec(json.slice(end, end + 40));
        if (value) found = value[1];
      }
      at = end - 1;
    }
  }
  return found;
}

/** Index just past the closing quote of the string that opens at `start`. */
function endOfString(json: string, start: number): number {
  let end = json.indexOf('"', start + 1);
  while (end > 0) {
    let slashes = 0;
    while (json.charCodeAt(end - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return end + 1;
    end = json.indexOf('"', end + 1);
  }
  return json.length;
}
