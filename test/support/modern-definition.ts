// The low-level server takes JSON Schema as it is, which is what these definitions are about.
/* eslint-disable @typescript-eslint/no-deprecated */
import { inputRequired, Server, type McpRequestContext } from '@modelcontextprotocol/server';

/** What the server tells its fixture. */
export interface DefinitionEvents {
  /** A call of `slow` began or was cancelled. */
  onSlow?(what: 'began' | 'cancelled'): void;
  /** A call of `touch`: the resource is to be announced as changed. */
  onTouch?(server: Server, uri: string): void;
  /** A call of `crash`. */
  onCrash?(): void;
}

const schema = (properties: object = {}): object => ({ type: 'object', properties });
const text = (value: string): { content: { type: 'text'; text: string }[] } => ({ content: [{ type: 'text', text: value }] });

const tools = [
  { name: 'echo', description: 'Gives back its text.', inputSchema: schema({ text: { type: 'string' } }) },
  {
    name: 'region',
    description: 'Wants an argument in a header too.',
    inputSchema: schema({
      region: { type: 'string', 'x-mcp-header': 'Region' },
      deep: schema({ n: { type: 'integer', 'x-mcp-header': 'N' } }),
    }),
  },
  { name: 'progress', description: 'Tells how far it is.', inputSchema: schema() },
  { name: 'ask', description: 'Asks for a name and for a sample.', inputSchema: schema() },
  { name: 'link', description: 'Asks to open an address.', inputSchema: schema() },
  { name: 'insist', description: 'Asks without end.', inputSchema: schema() },
  { name: 'later', description: 'Asks to come again.', inputSchema: schema() },
  { name: 'sample', description: 'Needs a client that samples.', inputSchema: schema() },
  { name: 'touch', description: 'Changes a resource.', inputSchema: schema({ uri: { type: 'string' } }) },
  { name: 'crash', description: 'Ends the program.', inputSchema: schema() },
  { name: 'slow', description: 'Never ends.', inputSchema: schema() },
  { name: 'list', description: 'Gives a list.', inputSchema: schema(), outputSchema: { type: 'array', items: { type: 'number' } } },
];

/** A server of the SDK's second version with one of everything; the same for HTTP and stdio, and for both eras. */
export function modernDefinition(events: DefinitionEvents = {}, more: readonly object[] = []): (context: McpRequestContext) => Server {
  return () => {
    const server = new Server(
      { name: 'modern', version: '2.0.0' },
      {
        capabilities: {
          tools: { listChanged: true },
          resources: { subscribe: true, listChanged: true },
          prompts: {},
          completions: {},
          logging: {},
        },
        instructions: 'Use `echo` first.',
      },
    );
    server.setRequestHandler('tools/list', () => ({ tools: [...tools, ...more], ttlMs: 60_000, cacheScope: 'public' }) as never);
    server.setRequestHandler('resources/list', () => ({ resources: [{ uri: 'file:///notes', name: 'notes' }] }));
    server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: [] }));
    server.setRequestHandler('resources/read', ({ params: { uri } }) => ({ contents: [{ uri, text: 'noted' }] }));
    server.setRequestHandler('prompts/list', () => ({ prompts: [{ name: 'greet' }, { name: 'grill' }] }));
    server.setRequestHandler('prompts/get', ({ params: { name } }, { mcpReq }) => {
      const said = mcpReq.inputResponses?.['who'] as { content?: { name?: string } } | undefined;
      if (name === 'grill' && said === undefined) return inputRequired({ inputRequests: { who: who() } });
      return { messages: [{ role: 'user' as const, content: { type: 'text' as const, text: `hello ${said?.content?.name ?? 'you'}` } }] };
    });
    server.setRequestHandler('completion/complete', ({ params: { argument } }) => ({ completion: { values: [`${argument.value}!`] } }));
    server.setRequestHandler('tools/call', async ({ params }, { mcpReq }) => {
      const { inputResponses } = mcpReq;
      const envelope = mcpReq.envelope as Record<string, unknown> | undefined;
      switch (params.name) {
        case 'echo':
        case 'region':
          return text(JSON.stringify(params.arguments ?? {}));
        case 'progress': {
          const token = mcpReq._meta?.progressToken;
          for (const progress of [1, 2]) {
            if (token !== undefined)
              await mcpReq.notify({ method: 'notifications/progress', params: { progressToken: token, progress, total: 2 } });
          }
          const level = envelope?.['io.modelcontextprotocol/logLevel'];
          if (level !== undefined) await mcpReq.notify({ method: 'notifications/message', params: { level, data: 'half way' } });
          return text('done');
        }
        case 'ask': {
          const answers = inputResponses as Record<string, { content?: { name?: string; text?: string } }> | undefined;
          if (answers === undefined)
            return inputRequired({
              inputRequests: {
                who: who(),
                line: inputRequired.createMessage({
                  messages: [{ role: 'user', content: { type: 'text', text: 'a line' } }],
                  maxTokens: 10,
                }),
              },
              requestState: 'asked-once',
            });
          return text(
            `${answers['who']?.content?.name ?? ''}: ${answers['line']?.content?.text ?? ''} (${mcpReq.requestState<string>() ?? ''})`,
          );
        }
        case 'link': {
          const opened = inputResponses?.['open'] as { action?: string } | undefined;
          if (opened !== undefined) return text(`opened: ${opened.action ?? ''}`);
          const open = inputRequired.elicitUrl({ message: 'Sign in', url: 'https://example.com/sign-in' });
          return inputRequired({ inputRequests: { open } });
        }
        case 'insist':
          return inputRequired({ inputRequests: { who: who() } });
        case 'later':
          return mcpReq.requestState<string>() === 'again' ? text('now') : inputRequired({ requestState: 'again' });
        case 'sample':
          return inputRequired({
            inputRequests: { line: inputRequired.createMessage({ messages: [], maxTokens: 10 }) },
          });
        case 'slow':
          events.onSlow?.('began');
          await new Promise((resolve) => mcpReq.signal.addEventListener('abort', resolve, { once: true }));
          events.onSlow?.('cancelled');
          return text('too late');
        case 'crash':
          events.onCrash?.();
          return text('still here');
        case 'touch':
          events.onTouch?.(server, String(params.arguments?.['uri']));
          return text('touched');
        case 'list':
          return { content: [], structuredContent: [1, 2, 3] };
        default:
          throw new Error(`no tool ${params.name}`);
      }
    });
    return server;
  };
}

function who(): ReturnType<typeof inputRequired.elicit> {
  return inputRequired.elicit({
    message: 'Who are you?',
    requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
  });
}
