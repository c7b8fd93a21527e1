import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

/** What the gateway says of its decision in a result's `_meta`. */
export interface DecisionNote {
  readonly id?: string;
  readonly effect?: string;
  readonly reasons?: readonly { readonly rule: string; readonly message: string }[];
  readonly approval?: { readonly id: string };
}

/** One call as the agent saw it. */
export interface Seen {
  readonly text: string;
  readonly isError: boolean;
  readonly note: DecisionNote;
  readonly tookMs: number;
}

/** A scripted agent: an ordinary MCP client with a token. */
export class DemoAgent {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  static async connect(url: string, token: string): Promise<DemoAgent> {
    const client = new Client({ name: 'demo-agent', version: '1.0.0' });
    const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } });
    await client.connect(transport);
    return new DemoAgent(client);
  }

  async tools(): Promise<{ readonly names: readonly string[]; readonly tookMs: number }> {
    const startedMs = performance.now();
    const { tools } = await this.#client.listTools();
    return { names: tools.map((tool) => tool.name), tookMs: performance.now() - startedMs };
  }

  async call(name: string, args: Record<string, unknown>): Promise<Seen> {
    const startedMs = performance.now();
    try {
      const result = await this.#client.callTool({ name, arguments: args });
      const content = Array.isArray(result['content']) ? (result['content'] as { type: string; text?: string }[]) : [];
      const note = (result['_meta'] as Record<string, DecisionNote> | undefined)?.['castellan/decision'] ?? {};
      return {
        text: content.map((part) => part.text ?? `(${part.type})`).join('\n'),
        isError: result['isError'] === true,
        note,
        tookMs: performance.now() - startedMs,
      };
    } catch (error) {
      return {
        text: error instanceof Error ? error.message : String(error),
        isError: true,
        note: {},
        tookMs: performance.now() - startedMs,
      };
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}
