/** A program of the modern era: `node modern-stdio-server.ts [dual]`. What happens to `slow` is said on standard error. */
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { modernDefinition } from './modern-definition.ts';

const definition = modernDefinition({
  onSlow: (what) => console.error(`slow ${what}`),
  onTouch: (server, uri) => void server.sendResourceUpdated({ uri }),
});
serveStdio(definition, { legacy: process.argv[2] === 'dual' ? 'serve' : 'reject' });
