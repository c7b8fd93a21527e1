/** A program of the modern era: `node modern-stdio-server.ts [dual]`. What happens to `slow` is said on standard error. */
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { modernDefinition } from './modern-definition.ts';

console.error('started');
const definition = modernDefinition({
  onSlow: (what) => console.error(`slow ${what}`),
  onCrash: () => process.exit(1),
  onTouch: (server, uri) => void server.sendResourceUpdated({ uri }),
});
serveStdio(definition, { legacy: process.argv[2] === 'dual' ? 'serve' : 'reject' });
