import type { Redaction } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import { isJsonObject, isRawNumber, type Json } from '../model/json.ts';
import { namesOf, pointerSteps, stepInto } from '../model/json-pointer.ts';
import { embeddedJson } from './embedded-json.ts';

/** A step from a string into the JSON that it holds. */
export const intoText = Symbol('into text');
export type Step = string | typeof intoText;

/** A place that a redaction names, and what was there. */
export interface Target {
  readonly path: readonly Step[];
  readonly value: Json;
  readonly redaction: Redaction;
}

/** The places by their path. */
export interface TargetNode {
  target?: Target;
  readonly children: Map<Step, TargetNode>;
}

/**
 * The places that a pointer names. A string that is JSON is entered like the value it holds.
 * @throws GatewayError `policy.withheld` where the value is of another form than the pointer expects (a text or a number where it goes on,
 *   an array where it has a name): what it was meant to hide may then be there, unnamed
 */
export function findTargets(document: Json, redaction: Redaction): Target[] {
  const targets: Target[] = [];
  const steps = pointerSteps(redaction.pointer ?? '');
  const walk = (value: Json, at: number, path: readonly Step[]): void => {
    const step = steps[at];
    if (step === undefined) {
      if (value !== null) targets.push({ path, value, redaction });
      return;
    }
    if (typeof value === 'string') {
      const inner = embeddedJson(value);
      if (inner !== undefined) walk(inner, at, [...path, intoText]);
      else if (value !== '') throw confused(redaction, 'a text');
      return;
    }
    if (typeof value === 'number' || isRawNumber(value)) throw confused(redaction, 'a number');
    if (Array.isArray(value) && value.length > 0 && step !== '*' && !/^\d+$/.test(step)) throw confused(redaction, 'an array');
    for (const name of step === '*' ? namesOf(value) : [step]) {
      const member = stepInto(value, name);
      if (member !== undefined) walk(member, at + 1, [...path, name]);
    }
  };
  walk(document, 0, []);
  return targets;
}

function confused(redaction: Redaction, found: string): GatewayError {
  return new GatewayError(
    'policy.withheld',
    `the redaction of \`${redaction.pointer ?? ''}\` by \`${redaction.rule}\` meets ${found} where it goes on; the whole value is withheld`,
  );
}

/** Files a target under its path; the first redaction of a place stands. */
export function addTarget(root: TargetNode, path: readonly Step[], target: Target): void {
  let node = root;
  for (const step of path) {
    let next = node.children.get(step);
    if (next === undefined) node.children.set(step, (next = { children: new Map() }));
    node = next;
  }
  node.target ??= target;
}

/** Every string and number at or below a value, as text; JSON in text is opened. */
export function leavesOf(value: Json): string[] {
  if (typeof value === 'string') {
    const inner = embeddedJson(value);
    return inner === undefined ? [value] : [value, ...leavesOf(inner)];
  }
  if (typeof value === 'number') return [String(value)];
  if (isRawNumber(value)) return [value.rawJSON];
  if (Array.isArray(value)) return (value as readonly Json[]).flatMap(leavesOf);
  return isJsonObject(value) ? Object.values(value).flatMap((item) => (item === undefined ? [] : leavesOf(item))) : [];
}

/** Looking for copies of many places in many texts is refused beyond this many comparisons. */
const maxComparisons = 200_000;

/** Finds copies by structure: where JSON has the same value under the same last steps of a path, though it be too short to search for. */
export function createCopyFinder(targets: readonly Target[]): (json: Json, into: TargetNode) => void {
  const texts = targets.map((target) => ({
    target,
    steps: target.path.filter((step) => step !== intoText),
    text: JSON.stringify(target.value),
  }));
  let comparisons = 0;
  return (json, into) => {
    for (const { target, steps, text } of texts) {
      for (let from = 1; from < steps.length; from++) {
        if (++comparisons > maxComparisons) throw new GatewayError('policy.withheld', 'too many places to redact in too many texts');
        let at: Json | undefined = json;
        for (let i = from; i < steps.length && at !== undefined; i++) at = stepInto(at, steps[i] as string);
        if (at !== undefined && JSON.stringify(at) === text) addTarget(into, steps.slice(from), target);
      }
    }
  };
}
