import { randomUUID } from 'node:crypto';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import { CallClock } from './call-clock.ts';
import type { OutgoingRequest } from './channel.ts';
import { callFault, fault } from './faults.ts';
import type { OpenQuestions, QuestionAnswer } from './open-questions.ts';
import type { RequestOptions, UpstreamReply } from './types.ts';

/** What an upstream may ask in one round, and how often it may ask. */
const limits = { rounds: 16, questions: 32, pauseMs: 250 } as const;
const askable: ReadonlySet<string> = new Set(['elicitation/create', 'sampling/createMessage', 'roots/list']);
/** Requests that may be answered with questions. @see https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/mrtr */
const asking: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);
const internalErrorCode = -32603;

/** What rounds need of their channel. */
export interface RoundsPort {
  readonly upstream: string;
  readonly questions: OpenQuestions;
  /** Sends one leg: its answer may ask again. */
  send(message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply>;
}

interface Question {
  readonly key: string;
  readonly method: string;
  readonly params: JsonObject | undefined;
}

/** An answer to one leg that is no answer yet. */
export function asksForInput(reply: UpstreamReply): reply is Extract<UpstreamReply, { kind: 'result' }> {
  return reply.kind === 'result' && reply.result['resultType'] === 'input_required';
}

/**
 * Puts an upstream's questions to the agent and repeats the call with the answers, until the upstream has no more. All of it together has
 * the time of the one call. A question that is refused ends the call with an error that says so: the upstream is told nothing more.
 * @throws GatewayError as a call; `upstream.protocol` when the upstream asks what it must not, or without end
 */
export async function answerInRounds(
  port: RoundsPort,
  message: OutgoingRequest,
  first: Extract<UpstreamReply, { kind: 'result' }>,
  options: RequestOptions,
): Promise<UpstreamReply> {
  const endsAtMs = performance.now() + options.timeoutMs;
  const leftMs = (): number => Math.max(1, endsAtMs - performance.now());
  let asked = first;
  for (let round = 1; ; round++) {
    if (options.signal?.aborted === true) throw callFault('call.cancelled', port.upstream, 'cancelled between two rounds');
    if (round > limits.rounds) throw callFault('upstream.protocol', port.upstream, `it asked for input more than ${limits.rounds} times`);
    const { questions, requestState } = readRequest(port.upstream, message.method, asked.result);
    let inputResponses: JsonObject | undefined;
    if (questions.length === 0) {
      await pause(port.upstream, { ...options, timeoutMs: leftMs() });
    } else {
      const answers = await askAll(port, questions, { ...options, timeoutMs: leftMs() });
      const refused = answers.findIndex(({ result }) => result === undefined);
      if (refused !== -1) return refusedReply(message.method, port.upstream, questions[refused]?.method ?? '', answers[refused]?.error);
      inputResponses = Object.fromEntries(questions.map(({ key }, index) => [key, answers[index]?.result ?? {}]));
    }
    const { inputResponses: _old, requestState: _state, ...params } = message.params ?? {};
    const reply = await port.send(
      {
        ...message,
        params: {
          ...params,
          ...(inputResponses === undefined ? {} : { inputResponses }),
          ...(requestState === undefined ? {} : { requestState }),
        },
      },
      { ...options, timeoutMs: leftMs() },
    );
    if (!asksForInput(reply)) return reply;
    asked = reply;
  }
}

function readRequest(
  upstream: string,
  method: string,
  result: JsonObject,
): { readonly questions: readonly Question[]; readonly requestState: string | undefined } {
  if (!asking.has(method)) throw callFault('upstream.protocol', upstream, `\`${method}\` cannot be answered with questions`);
  const { inputRequests, requestState } = result;
  if (requestState !== undefined && typeof requestState !== 'string')
    throw callFault('upstream.protocol', upstream, '`requestState` is not a string');
  if (inputRequests !== undefined && !isJsonObject(inputRequests))
    throw callFault('upstream.protocol', upstream, '`inputRequests` is not an object');
  const entries = Object.entries(inputRequests ?? {});
  if (entries.length === 0 && requestState === undefined)
    throw callFault('upstream.protocol', upstream, 'it asks for input and says neither what nor why');
  if (entries.length > limits.questions) throw callFault('upstream.protocol', upstream, `it asks ${entries.length} questions at once`);
  return { questions: entries.map(([key, value]) => readQuestion(upstream, key, value)), requestState };
}

function readQuestion(upstream: string, key: string, value: Json | undefined): Question {
  const method = isJsonObject(value) ? value['method'] : undefined;
  const params = isJsonObject(value) ? value['params'] : undefined;
  if (typeof method !== 'string' || !askable.has(method) || (params !== undefined && !isJsonObject(params)))
    throw callFault('upstream.protocol', upstream, 'one of its questions is none that a client can be asked');
  // Sessions know a question by URL by an id of its own, which the modern era left out.
  const needsId = method === 'elicitation/create' && params?.['mode'] === 'url' && params['elicitationId'] === undefined;
  return { key, method, params: needsId ? { ...params, elicitationId: randomUUID() } : params };
}

/** Asks all questions at once. When one is refused, or the call ends, the others are withdrawn. */
function askAll(port: RoundsPort, questions: readonly Question[], options: RequestOptions): Promise<QuestionAnswer[]> {
  return new Promise((resolve, reject) => {
    const answers: QuestionAnswer[] = [];
    const references: string[] = [];
    let missing = questions.length;
    const withdraw = (reason: string): void => {
      for (const reference of references) {
        if (!port.questions.withdraw(reference)) continue;
        options.onMessage?.({ kind: 'notification', method: 'notifications/cancelled', params: { requestId: reference, reason } });
      }
    };
    const clock = new CallClock(options, (why) => {
      withdraw(why);
      const code = why === 'timeout' ? 'upstream.timeout' : 'call.cancelled';
      reject(callFault(code, port.upstream, `ended from our side while it waited for input: ${why}`));
    });
    const finish = (): void => {
      clock.stop();
      resolve(Array.from(questions, (_, index) => answers[index] ?? { result: {} }));
    };
    for (const [index, { method, params }] of questions.entries()) {
      const id = port.questions.open((answer) => {
        answers[index] = answer;
        if (answer.result === undefined) {
          withdraw('another question of the same call was refused');
          finish();
        } else if (--missing === 0) {
          finish();
        }
      });
      references.push(id);
      options.onMessage?.({ kind: 'request', id, method, params });
    }
  });
}

/** A short wait before a call that was only asked to come again. */
function pause(upstream: string, options: RequestOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      clock.stop();
      resolve();
    }, limits.pauseMs);
    const clock = new CallClock(options, (why) => {
      clearTimeout(timer);
      reject(fault(why === 'timeout' ? 'upstream.timeout' : 'call.cancelled', upstream, `ended from our side: ${why}`));
    });
  });
}

/** A call that failed for want of an answer: a tool's own error where it is a tool, so that a model can read it. */
function refusedReply(method: string, upstream: string, question: string, error: JsonObject | undefined): UpstreamReply {
  const reason = typeof error?.['message'] === 'string' ? `: ${error['message'].slice(0, 500)}` : '';
  const text = `the upstream \`${upstream}\` asked for \`${question}\`, which was refused${reason}`;
  if (method === 'tools/call') return { kind: 'result', result: { content: [{ type: 'text', text }], isError: true }, bytes: 0 };
  return { kind: 'error', error: { code: internalErrorCode, message: text }, bytes: 0 };
}
