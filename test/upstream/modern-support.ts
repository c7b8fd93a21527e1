import { answer, startRecordingUpstream, type RecordingUpstream, type Script } from '../support/recording-upstream.ts';

/** The one revision of the modern era. */
export const modernVersion = '2026-07-28';

/** The result of `server/discover`. */
export const discovered = (versions: readonly string[] = [modernVersion]): object => ({
  resultType: 'complete',
  supportedVersions: versions,
  capabilities: { tools: { listChanged: true } },
  ttlMs: 0,
  cacheScope: 'private',
});

/** Answers `server/discover` as a server of the modern era. */
export const modern: Script = ({ response, request }) => answer(response, request.message.id, discovered());

/** Answers with a status, and a body that is text or a JSON-RPC message. */
export const refuse =
  (status: number, body: object | string): Script =>
  ({ response }) =>
    void response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(typeof body === 'string' ? body : JSON.stringify({ jsonrpc: '2.0', ...body }));

/** The body of an error. */
export const error = (code: number, id: unknown, data?: object): object => ({
  id,
  error: { code, message: 'no', ...(data === undefined ? {} : { data }) },
});

/** Runs `work` with a recording server that knows no sessions and answers `server/discover` by `script`. */
export async function withServer<T>(script: Script, work: (server: RecordingUpstream) => Promise<T>): Promise<T> {
  const server = await startRecordingUpstream({ stateless: true });
  server.always('server/discover', script);
  try {
    return await work(server);
  } finally {
    await server.close();
  }
}
