import { GatewayError } from '../model/errors.ts';
import type { JsonObject } from '../model/json.ts';

/** What an agent answered. */
export interface QuestionAnswer {
  readonly result?: JsonObject;
  readonly error?: JsonObject;
}

/** Questions of an upstream that wait for their answer on one channel, under references minted here. */
export class OpenQuestions {
  readonly #waiting = new Map<string, (answer: QuestionAnswer) => void>();
  #minted = 0;

  /** A new reference; `onAnswer` is called once at most. */
  open(onAnswer: (answer: QuestionAnswer) => void): string {
    const reference = `m${++this.#minted}`;
    this.#waiting.set(reference, onAnswer);
    return reference;
  }

  /** Nobody waits for this one any more; false when it was answered. */
  withdraw(reference: string): boolean {
    return this.#waiting.delete(reference);
  }

  /** @throws GatewayError `request.invalid` when nothing waits for a result */
  answer(reference: string | number, answer: QuestionAnswer): void {
    const key = String(reference);
    const onAnswer = this.#waiting.get(key);
    // A refusal may come too late: nothing was to be sent for it.
    if (onAnswer === undefined && answer.error !== undefined) return;
    if (onAnswer === undefined)
      throw new GatewayError('request.invalid', 'no request of the upstream waits for this reply; it was answered or given up');
    this.#waiting.delete(key);
    onAnswer(answer);
  }
}
