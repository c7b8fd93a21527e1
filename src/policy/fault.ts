import type { PolicyFault } from '../model/decision.ts';

/** Why an evaluation gave no answer, with the rule that caused it where the engine could name it. */
export class EvaluationFault extends Error {
  readonly fault: PolicyFault;
  readonly rule: string | undefined;

  constructor(fault: PolicyFault, message: string, options: { rule?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EvaluationFault';
    this.fault = fault;
    this.rule = options.rule;
  }
}

/**
 * What came out of the module, whatever was thrown, as a fault: running out of memory is `memory`, all else is `error`. A location
 * `…/rules/<topic>/<rule>.rego:12:3` in OPA's message names the rule.
 */
export function asFault(thrown: unknown): EvaluationFault {
  if (thrown instanceof EvaluationFault) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (message.includes('opa_malloc') || message.includes('could not allocate') || message.includes('Maximum memory size exceeded')) {
    return new EvaluationFault('memory', 'the evaluation needed more memory than it may have', { cause: thrown });
  }
  const place = /(?:^|\/)rules\/([\w-]+)\/([\w-]+)\.rego:\d+/.exec(message);
  return new EvaluationFault('error', message === '' ? 'the evaluation failed' : message, {
    rule: place ? `${place[1] ?? ''}/${place[2] ?? ''}` : undefined,
    cause: thrown,
  });
}
