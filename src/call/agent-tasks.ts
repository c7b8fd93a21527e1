import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { Question } from './question.ts';

/** A task that an agent made of a question: which upstream asked, and what. */
interface AgentTask {
  readonly upstream: string;
  readonly question: Question;
}

/** Tasks of one agent's session at most; the oldest goes first. */
const maxTasks = 100;
/** What an upstream may ask about a task of the agent's. A list would show it what other upstreams asked. */
const askable: ReadonlySet<string> = new Set(['tasks/get', 'tasks/result', 'tasks/cancel']);

/** Which questions an agent answers with a task, by the path of its capability. */
const capabilityOf: Readonly<Record<string, readonly [string, string]>> = {
  'sampling/createMessage': ['sampling', 'createMessage'],
  'elicitation/create': ['elicitation', 'create'],
};

/**
 * The tasks that the agent of one session made of upstreams' questions (2025-11-25). An upstream may ask about those that it asked for, and
 * about no other; what such a task ends with is judged as the answer to the question that it was made of.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/utilities/tasks
 */
export class AgentTasks {
  #tasks: Map<string, AgentTask> | undefined;

  /** Takes note of the task in an agent's answer, where there is one. */
  note(upstream: string, question: Question, answer: JsonObject | undefined): void {
    const task = answer?.['task'];
    const taskId = isJsonObject(task) ? task['taskId'] : undefined;
    if (typeof taskId !== 'string' || taskId.length > 256) return;
    this.#tasks ??= new Map();
    this.#tasks.set(taskId, { upstream, question });
    const [oldest] = this.#tasks.keys();
    if (this.#tasks.size > maxTasks && oldest !== undefined) this.#tasks.delete(oldest);
  }

  /** The upstream that asked for a task. */
  ownerOf(taskId: Json | undefined): string | undefined {
    return typeof taskId === 'string' ? this.#tasks?.get(taskId)?.upstream : undefined;
  }

  /** Whether an upstream's request about tasks is about one that it asked for. */
  mayAsk(upstream: string, method: string, params: JsonObject | undefined): boolean {
    return askable.has(method) && this.ownerOf(params?.['taskId']) === upstream;
  }

  /** The question that a task was made of. */
  questionOf(taskId: Json | undefined): Question | undefined {
    return typeof taskId === 'string' ? this.#tasks?.get(taskId)?.question : undefined;
  }

  /** As what the answer to an upstream's request is judged: a task's result as the answer to the question behind it. */
  judgedAs(method: string, params: JsonObject | undefined): string {
    return (method === 'tasks/result' ? this.questionOf(params?.['taskId'])?.asked.method : undefined) ?? method;
  }
}

/** Whether an agent said that it may answer a question with a task. */
export function answersWithTask(capabilities: JsonObject, method: string): boolean {
  const path = Object.hasOwn(capabilityOf, method) ? capabilityOf[method] : undefined;
  let value: Json | undefined = capabilities['tasks'];
  for (const name of ['requests', ...(path ?? ['none'])]) value = isJsonObject(value) ? value[name] : undefined;
  return value !== undefined;
}
