import type { RawAgent } from '../../support/gateway.ts';
import { frame, stream, textResult, type Scene } from '../../support/recording-upstream.ts';
import { Listening, type Message } from './listening.ts';
import type { Rig } from './rig.ts';

/** A call of `echo`, with a progress token where one is given. */
export const call = (id: string | number, progressToken?: string | number): object => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'echo', arguments: {}, ...(progressToken === undefined ? {} : { _meta: { progressToken } }) },
});
/** Progress on the call of a scene, under the token that the upstream was given. */
export const progress = (scene: Scene, at: number): string =>
  frame({
    jsonrpc: '2.0',
    method: 'notifications/progress',
    params: { progressToken: scene.request.message.params._meta.progressToken, progress: at },
  });
export const log = (data: unknown): string => frame({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } });
/** The answer of a scene's call. */
export const done = ({ request }: Scene, text = 'done'): string => frame(textResult(request.message.id, text));
/** What the upstream was answered on its own requests. */
export const replies = (rig: Rig): Message[] =>
  rig.upstream.requests
    .filter(({ httpMethod, message }) => httpMethod === 'POST' && message.method === undefined)
    .map(({ message }) => message);
export const answerOf = (listening: Listening): Message | undefined => listening.messages.find((message) => message.method === undefined);
/** Opens a call whose stream the test holds in its hand. */
export async function held(
  rig: Rig,
  agent: RawAgent,
  id: string | number = 1,
  progressToken: string | number = 'p',
): Promise<{ listening: Promise<Listening>; scene: Scene }> {
  const scene = new Promise<Scene>((resolve, reject) => {
    setTimeout(() => reject(new Error('the call did not reach the upstream')), 5000).unref();
    rig.upstream.once('tools/call', (one) => {
      stream(one.response);
      resolve(one);
    });
  });
  const listening = Listening.post(agent, call(id, progressToken));
  return { listening, scene: await scene };
}
