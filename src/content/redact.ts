import { randomBytes } from 'node:crypto';
import type { Redaction } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';
import { isJsonObject, isRawNumber, type Json, type JsonObject } from '../model/json.ts';
import { blobKeys, textOfBase64, textOfDataUri } from './blob.ts';
import type { Detectors } from './detect.ts';
import { embeddedJson } from './embedded-json.ts';
import { minCopyLength, Needles } from './needles.ts';
import { addTarget, createCopyFinder, findTargets, leavesOf, type TargetNode } from './redaction-targets.ts';
import { createReplace, safeMask, type Replace } from './replacement.ts';
import { rewrite, type Rewriting } from './rewrite.ts';
import type { Span } from './span.ts';
import type { StringFindings } from './string-scan.ts';

/** A document after its redactions. */
export interface Redacted {
  readonly document: JsonObject;
  /** Texts, numbers, names and members that are not what they were. */
  readonly changed: number;
  /** Where they are, from the document's root; names that had to go are masked here too. */
  readonly pointers: readonly string[];
}

/** Applies redactions under one configuration. Immutable; safe to share between calls. */
export interface Redactor {
  /**
   * The document (`{arguments}` or `{result}`) with every redaction applied. INVARIANT: a text or number that a redaction took away, of four
   * characters or more, stands nowhere else in it: no text, name or number, no JSON in text, no base64; names and words that MCP prescribes
   * excepted. The document given is not changed, and shares with the answer what did not change.
   * @throws GatewayError `policy.withheld` or RangeError where a redaction cannot be applied safely: the caller then refuses or withholds
   */
  readonly redact: (document: JsonObject, redactions: readonly Redaction[]) => Redacted;
}

/**
 * Builds a redactor. It finds what its detectors are switched on for, and nothing else.
 * @param options `hashKey`: key of `as: "hash"`; without one a fresh key is drawn, and hashes of different runs cannot be compared
 */
export function createRedactor(options: { readonly detectors: Detectors; readonly hashKey?: Uint8Array }): Redactor {
  const hashKey = options.hashKey ?? randomBytes(32);
  return { redact: (document, redactions) => redact(document, redactions, options.detectors, hashKey) };
}

function redact(document: JsonObject, redactions: readonly Redaction[], detectors: Detectors, hashKey: Uint8Array): Redacted {
  if (redactions.length === 0) return { document, changed: 0, pointers: [] };
  redactions.forEach(assertComplete);
  const work = detectors.work(4);
  const byPointer = redactions.filter((redaction) => redaction.pointer !== undefined);
  const byDetector = redactions.filter((redaction) => redaction.detector !== undefined);
  const withSecrets = byDetector.some(
    ({ detector = '' }) => 'secret.'.startsWith(detector.replace(/\*$/, '')) || detector.startsWith('secret.'),
  );
  const spansOf = (key: string, text: string): StringFindings | undefined => detectors.spans(key, text, work, withSecrets);
  const targets = byPointer.flatMap((redaction) => findTargets(document, redaction));
  for (const { path, redaction } of targets) {
    if (path.length < 2)
      throw new GatewayError('policy.withheld', `the redaction \`${redaction.pointer ?? ''}\` names the whole document; deny instead`);
  }
  const found = byDetector.length === 0 ? [] : detect(document, byDetector, spansOf);
  const leaves = targets.map((target) => ({
    redaction: target.redaction,
    texts: leavesOf(target.value).filter((text) => text.length >= minCopyLength),
  }));
  const gone = new Needles();
  for (const text of leaves.flatMap(({ texts }) => texts)) gone.add(text, '');
  for (const { text } of found) gone.add(text, '');
  const mask = safeMask(gone);
  const replace = createReplace(gone, mask, hashKey);
  const needles = new Needles();
  for (const { redaction, texts } of leaves) for (const text of texts) needles.add(text, replace(redaction, text) ?? mask);
  for (const { redaction, text, detector } of found) needles.add(text, replace(redaction, text, detector) ?? '');
  const root: TargetNode = { children: new Map() };
  for (const target of targets) addTarget(root, target.path, target);
  const by: Rewriting = {
    targets: root,
    copies: createCopyFinder(targets),
    needles,
    mask,
    replace: (target) => replace(target.redaction, target.value),
    cleanText: (key, text) => cleaned(text, spansOf(key, text)?.value ?? [], byDetector, replace),
    cleanKey: (key) => cleaned(key, spansOf(key, '')?.key ?? [], byDetector, replace),
  };
  const none = { ...by, cleanText: (_key: string, text: string) => text, cleanKey: (key: string) => key };
  const result = rewrite(document, byDetector.length === 0 ? none : by);
  // A second pass has nothing left to do, or the first was wrong.
  const again = rewrite(result.value, { ...none, targets: { children: new Map() }, copies: () => undefined });
  if (again.changed > 0 || !isJsonObject(result.value))
    throw new GatewayError('policy.withheld', 'a redacted value is still in the document');
  return { document: result.value, changed: result.changed, pointers: result.pointers };
}

function assertComplete(redaction: Redaction): void {
  if ((redaction.pointer === undefined) === (redaction.detector === undefined)) {
    throw new GatewayError('policy.withheld', `a redaction by \`${redaction.rule}\` must have either a pointer or a detector`);
  }
  if (redaction.as === 'replace' && redaction.with === undefined) {
    throw new GatewayError('policy.withheld', `a redaction by \`${redaction.rule}\` replaces and does not say with what`);
  }
  if (!['mask', 'hash', 'drop', 'replace'].includes(redaction.as)) {
    throw new GatewayError('policy.withheld', `a redaction by \`${redaction.rule}\` is of an unknown kind`);
  }
}

/** The first redaction whose detector, or prefix of one, this is. */
function redactionOf(detector: string, redactions: readonly Redaction[]): Redaction | undefined {
  return redactions.find(({ detector: wanted = '' }) =>
    wanted.endsWith('*') ? detector.startsWith(wanted.slice(0, -1)) : wanted === detector,
  );
}

/** `text` with the spans that a redaction asks for replaced; what overlaps is one span. */
function cleaned(text: string, spans: readonly Span[], redactions: readonly Redaction[], replace: Replace): string {
  let out = '';
  let from = 0;
  for (const { start, end, detector } of spans.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const redaction = redactionOf(detector, redactions);
    if (redaction === undefined || end <= from) continue;
    if (start >= from) out += text.slice(from, start) + (replace(redaction, text.slice(start, end), detector) ?? '');
    from = end;
  }
  return from === 0 ? text : out + text.slice(from);
}

interface Found {
  readonly text: string;
  readonly detector: string;
  readonly redaction: Redaction;
}

/** Everything that the redactions' detectors find anywhere in the document, so that copies which they do not recognise go too. */
function detect(
  document: Json,
  redactions: readonly Redaction[],
  spansOf: (key: string, text: string) => StringFindings | undefined,
): Found[] {
  const found: Found[] = [];
  const take = (text: string, spans: readonly Span[]): void => {
    for (const { detector, start, end } of spans) {
      const redaction = redactionOf(detector, redactions);
      // Hidden characters are taken out where they are; they are no values that could be repeated elsewhere.
      if (redaction !== undefined && end - start >= minCopyLength && !detector.startsWith('hidden.')) {
        found.push({ text: text.slice(start, end), detector, redaction });
      }
    }
  };
  const visit = (key: string, value: Json): void => {
    if (typeof value === 'string') {
      const inner = embeddedJson(value);
      if (inner !== undefined) {
        visit(key, inner);
        return;
      }
      take(value, spansOf(key, value)?.value ?? []);
      const inside = textOfDataUri(value);
      if (inside !== undefined) visit('', inside);
    } else if (typeof value === 'number' || isRawNumber(value)) visit(key, typeof value === 'number' ? String(value) : value.rawJSON);
    else if (Array.isArray(value)) for (const item of value as readonly Json[]) visit(key, item);
    else if (isJsonObject(value)) {
      for (const [name, item] of Object.entries(value)) {
        take(name, spansOf(name, '')?.key ?? []);
        if (item !== undefined) visit(name, item);
      }
      for (const name of blobKeys(value)) visit('', textOfBase64(value[name] as string) ?? '');
    }
  };
  visit('', document);
  return found;
}
