import { createInterface } from 'node:readline';

/** A stdio MCP server with tools `pid` and `crash`: the second ends the process after the call has arrived. */
const tool = (name: string): object => ({ name, description: name, inputSchema: { type: 'object' } });
const say = (message: object): void => void process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line) as { id?: number; method?: string; params?: { name?: string; protocolVersion?: string } };
  if (id === undefined) return;
  if (method === 'initialize') {
    const serverInfo = { name: 'fragile', version: '1' };
    say({ id, result: { protocolVersion: params?.protocolVersion, capabilities: { tools: {} }, serverInfo } });
  } else if (method === 'tools/list') say({ id, result: { tools: [tool('pid'), tool('crash')] } });
  else if (params?.name === 'crash') {
    process.stderr.write('stack of secret.internal\n');
    process.exit(7);
  } else say({ id, result: { content: [{ type: 'text', text: String(process.pid) }] } });
});
