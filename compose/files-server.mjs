// A small MCP server for compose.yaml: one folder over Streamable HTTP, with the names and arguments of the reference filesystem server.
// It knows nothing of the gateway, and needs no network: it runs on the packages that the gateway's image has.
import { mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join, resolve, sep } from 'node:path';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const root = await realpath(process.env.ROOT ?? '.');
const text = { type: 'string' };

const tools = {
  list_directory: {
    description: 'Lists a folder.',
    inputSchema: { type: 'object', properties: { path: text }, required: ['path'], additionalProperties: false },
    annotations: { readOnlyHint: true },
    run: async ({ path }) =>
      (await readdir(await inside(path), { withFileTypes: true }))
        .map((one) => `[${one.isDirectory() ? 'DIR' : 'FILE'}] ${one.name}`)
        .join('\n'),
  },
  read_text_file: {
    description: 'Reads a text file.',
    inputSchema: { type: 'object', properties: { path: text }, required: ['path'], additionalProperties: false },
    annotations: { readOnlyHint: true },
    run: async ({ path }) => readFile(await inside(path), 'utf8'),
  },
  write_file: {
    description: 'Writes a text file, over one that is there.',
    inputSchema: { type: 'object', properties: { path: text, content: text }, required: ['path', 'content'], additionalProperties: false },
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
    run: async ({ path, content }) => {
      const file = await inside(path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
      return `wrote ${path}`;
    },
  },
};

/** A path below the folder, links included. */
async function inside(path) {
  const full = resolve(root, path);
  let there = full;
  for (;;) {
    const real = await realpath(there).catch(() => undefined);
    if (real === root || real?.startsWith(root + sep)) return full;
    if (real !== undefined || dirname(there) === there) throw new Error(`\`${path}\` is outside the folder`);
    there = dirname(there);
  }
}

function newServer() {
  const server = new Server({ name: 'files', version: '1.0.0' }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.entries(tools).map(([name, { run: _run, ...tool }]) => ({ name, ...tool })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
    const tool = Object.hasOwn(tools, params.name) ? tools[params.name] : undefined;
    try {
      if (tool === undefined) throw new Error(`there is no tool \`${params.name}\``);
      return { content: [{ type: 'text', text: await tool.run(params.arguments ?? {}) }] };
    } catch (error) {
      return { content: [{ type: 'text', text: error.message }], isError: true };
    }
  });
  return server;
}

const http = createServer(async (request, response) => {
  if (request.url !== '/mcp') {
    response.writeHead(404).end();
    return;
  }
  // Stateless: each request has a server of its own.
  const server = newServer();
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  response.on('close', () => void server.close());
  await server.connect(transport);
  await transport.handleRequest(request, response);
});
await writeFile(join(root, 'welcome.md'), '# Welcome\n\nThis folder is served by the files server of compose.yaml.\n', {
  flag: 'wx',
}).catch(() => undefined);
http.listen(Number(process.env.PORT ?? 3002), process.env.HOST ?? '0.0.0.0');
process.on('SIGTERM', () => process.exit(0));
