import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/** One suite of the public conformance tests, and how the server under test has to be started for it. */
export interface Suite {
  /** What the printed line calls it. */
  readonly name: string;
  /** The program, in its installed package. */
  readonly program: string;
  readonly args: readonly string[];
  /** Flags of the everything-server: its stateful mode is the one that can ask its client back. */
  readonly serverArgs: readonly string[];
}

function programOf(packageName: string): string {
  return join(dirname(require.resolve(`${packageName}/package.json`)), 'dist', 'index.js');
}

/** Each is run direct and through the gateway. A later suite is one more row. */
export const suites: readonly Suite[] = [
  {
    name: '0.1.16 all',
    program: programOf('@modelcontextprotocol/conformance'),
    args: ['server', '--suite', 'all'],
    serverArgs: ['-stateless=false'],
  },
  {
    name: '0.2.0-alpha.12 2025-11-25',
    program: programOf('conformance-next'),
    args: ['server', '--requirements', '2025-11-25'],
    serverArgs: ['-stateless=false'],
  },
  {
    name: '0.2.0-alpha.12 2026-07-28',
    program: programOf('conformance-next'),
    args: ['server', '--requirements', '2026-07-28'],
    serverArgs: [],
  },
];
