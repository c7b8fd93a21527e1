import { Pool } from 'undici';

export interface Load {
  readonly calls: number;
  readonly failed: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Agents that each open a session and then call `echo` one call after the other, `calls` in all. Every answer is looked at. */
export async function load(origin: string, path: string, agents: number, calls: number, token?: string): Promise<Load> {
  const pool = new Pool(origin, { connections: agents, pipelining: 1 });
  const times: number[] = [];
  let failed = 0;
  const post = async (message: object, session?: string): Promise<{ text: string; session: string | undefined }> => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(session === undefined ? {} : { 'mcp-session-id': session }),
    };
    const answer = await pool.request({ path, method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) });
    const given = answer.headers['mcp-session-id'];
    return { text: await answer.body.text(), session: typeof given === 'string' ? given : undefined };
  };
  const agent = async (number: number): Promise<void> => {
    const hello = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'small', version: '1' } };
    const { session } = await post({ id: 0, method: 'initialize', params: hello });
    await post({ method: 'notifications/initialized' }, session);
    for (let id = 1; id <= calls / agents; id++) {
      const message = `small-${number}-${id}`;
      const startedMs = performance.now();
      const { text } = await post({ id, method: 'tools/call', params: { name: 'echo', arguments: { message } } }, session);
      times.push(performance.now() - startedMs);
      if (!text.includes(message) || text.includes('"isError":true')) failed++;
    }
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: agents }, (_, number) => agent(number)));
  const seconds = (performance.now() - startedMs) / 1_000;
  await pool.close();
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { calls: times.length, failed, seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}
