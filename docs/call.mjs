// One tool call through a gateway, for the tutorial:  node docs/call.mjs <tool> '<arguments as JSON>'
// MCP_URL is the endpoint, TOKEN an access token or API key. Prints the effect, then what the agent's model would read. Without a tool: the list.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const [name, args = '{}'] = process.argv.slice(2);
const { MCP_URL = '', TOKEN = '' } = process.env;
const client = new Client({ name: 'tutorial', version: '1.0.0' });
await client.connect(
  new StreamableHTTPClientTransport(new URL(MCP_URL), { requestInit: { headers: { authorization: `Bearer ${TOKEN}` } } }),
);
if (name === undefined) {
  for (const tool of (await client.listTools()).tools) process.stdout.write(`${tool.name}\n`);
} else {
  const { content, _meta } = await client.callTool({ name, arguments: JSON.parse(args) });
  const text = content.map((part) => part.text ?? `(${part.type})`).join('\n');
  process.stdout.write(`${_meta?.['castellan/decision']?.effect ?? 'error'}: ${text}\n`);
}
await client.close();
