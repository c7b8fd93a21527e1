import { flatPolicy } from '../../support/gateway.ts';
import { frame, stream, textResult, type Scene } from '../../support/recording-upstream.ts';
import { replies } from '../transport/held-call.ts';
import { startRig, until, type HttpAnswer, type Refusal, type Rig } from '../transport/rig.ts';
import { ModernAgent } from './modern-agent.ts';

/** Capabilities, questions, answers and the refusal that the tests share. */
export const all = { sampling: {}, elicitation: {}, roots: {} };
export const notValid: Refusal = { status: 200, rpc: -32602, code: 'state.invalid' };
export const form = { message: 'name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } };
export const said = { action: 'accept', content: { name: 'ada' } };

/** Answers containing `withheld` are denied, questions containing `forbidden`, and the second of two equal calls with `twice`. */
const policy = Object.fromEntries(
  Object.entries(flatPolicy('allow')).map(([path, text]) => [
    path,
    text.replace(/^(call|message) := (.*)$/gm, (_all, entry: string, decision: string) => {
      const word = entry === 'call' ? 'withheld' : 'forbidden';
      const denied = decision.replaceAll('"allow"', '"deny"').replaceAll('flat allow', `not ${word}`);
      const again =
        entry === 'call'
          ? `\n\ncall := ${denied} if {\n\tobject.get(input, ["arguments", "text"], "") == "twice"\n\tinput.usage.same_call_1m > 0\n}`
          : '';
      return `default ${entry} := ${decision}\n\n${entry} := ${denied} if contains(json.marshal(object.get(input, "arguments", {})), "${word}")${again}`;
    }),
  ]),
);

/** A gateway whose upstream has sessions, an agent without one, and what the tests of rounds do with them. */
export interface Rounds {
  readonly rig: Rig;
  readonly agent: ModernAgent;
  asking(...questions: readonly (readonly [id: string | number, method: string, params: object])[]): { readonly scene: Promise<Scene> };
  /** The first round of a call of `echo`. */
  first(text?: string, as?: ModernAgent): Promise<HttpAnswer>;
  /** The same call again, with answers. */
  retry(state: string, inputResponses: object, options?: { text?: string; as?: ModernAgent; name?: string }): Promise<HttpAnswer>;
}

/** Starts it. */
export async function startRounds(): Promise<Rounds> {
  const rig = await startRig({ policy, extra: 'limits: { question_timeout_ms: 2500, call_timeout_ms: 20000 }' });
  const agent = await ModernAgent.of(rig);
  return {
    rig,
    agent,
    asking: (...questions) => asking(rig, questions),
    first: (text = 'x', as = agent) => as.call('echo', { text }, { capabilities: all }),
    retry: (state, inputResponses, { text = 'x', as = agent, name = 'echo' } = {}) =>
      as.send('tools/call', { name, arguments: { text }, requestState: state, inputResponses }, { capabilities: all }),
  };
}

/** A call whose upstream asks `questions` at once, and says `done` with what it was answered once all are. */
function asking(
  rig: Rig,
  questions: readonly (readonly [id: string | number, method: string, params: object])[],
): {
  readonly scene: Promise<Scene>;
} {
  const before = replies(rig).length;
  const scene = new Promise<Scene>((resolve) => {
    rig.upstream.once('tools/call', (one) => {
      stream(one.response);
      for (const [id, method, params] of questions) one.response.write(frame({ jsonrpc: '2.0', id, method, params }));
      resolve(one);
      void until(() => replies(rig).length >= before + questions.length, 'answers to all questions', 15_000).then(
        () => {
          const got = replies(rig).slice(before);
          one.response.end(
            frame(
              textResult(
                one.request.message.id,
                `done ${JSON.stringify(got.map(({ id, result, error }) => [id, result ?? error?.message]))}`,
              ),
            ),
          );
        },
        () => one.response.end(),
      );
    });
  });
  return { scene };
}
