import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Where `.ci/run` installs what is not a package of this project. */
const folder = process.env['CASTELLAN_CLIENTS'] ?? join(root, '.castellan', 'clients');

/** Programs of others: clients and servers that users have. */
export const programs = {
  python: join(folder, 'venv', 'bin', 'python'),
  timeServer: join(folder, 'venv', 'bin', 'mcp-server-time'),
  gitServer: join(folder, 'venv', 'bin', 'mcp-server-git'),
  fetchServer: join(folder, 'venv', 'bin', 'mcp-server-fetch'),
  inspector: join(folder, 'inspector', 'node_modules', '@modelcontextprotocol', 'inspector', 'clients', 'launcher', 'build', 'index.js'),
} as const;

/** The servers and clients of the npm registry that are development packages. */
export const npm = {
  filesystem: join(root, 'node_modules/@modelcontextprotocol/server-filesystem/dist/index.js'),
  memory: join(root, 'node_modules/@modelcontextprotocol/server-memory/dist/index.js'),
  thinking: join(root, 'node_modules/@modelcontextprotocol/server-sequential-thinking/dist/index.js'),
  everything: join(root, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'),
  mcpRemote: join(root, 'node_modules/mcp-remote/dist/proxy.js'),
} as const;

/**
 * Whether a test is to be skipped because a program is not there: `false`, or the reason. Where CI runs nothing is skipped: the test then fails
 * on what is missing.
 */
export function missing(...names: readonly (keyof typeof programs)[]): string | false {
  if (process.env['CI'] === 'true') return false;
  const absent = names.filter((name) => !existsSync(programs[name]));
  return absent.length === 0 ? false : `${absent.join(', ')} not installed: .ci/run installs them`;
}
