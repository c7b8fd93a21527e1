import type { AuditDecision, AuditRecord } from '../model/audit-record.ts';
import { buildDigest } from '../model/build-digest.ts';
import { entrypoints, type Entrypoint } from '../model/decision.ts';
import { canonical } from '../model/digest.ts';
import { GatewayError } from '../model/errors.ts';
import type { Json } from '../model/json.ts';
import type { Evaluation } from '../model/ports.ts';
import { openCheckpoint } from './checkpoint.ts';
import { checkInput } from './input-commitment.ts';
import type { NoteVerifier } from './note.ts';
import { activatedBuild, type Receipt, type ReceiptDecision, type ReceiptRecord, type ReceiptRelease } from './receipt.ts';
import { rootByInclusion } from './tree-proof.ts';
import { leafHash, ofHex, type TreeHash } from './tree.ts';

/** One thing that was looked at: `true` holds, `false` does not, `null` cannot be said. */
export interface ReceiptFinding {
  readonly what: string;
  readonly holds: boolean | null;
  readonly detail: string;
}

export interface ReceiptCheck {
  /** Nothing was found wrong. What could not be looked at is among `findings`. */
  readonly ok: boolean;
  readonly call: string;
  readonly findings: readonly ReceiptFinding[];
}

/** Decides anew: the module on the input. */
export type DecideAnew = (
  release: { readonly wasm: Uint8Array<ArrayBuffer>; readonly data: string },
  entry: Entrypoint,
  inputJson: string,
) => Promise<Evaluation<unknown>>;

/**
 * Checks a receipt with public keys alone: the checkpoint's signature, that each record is in the signed log, that the inputs and the module
 * are those that the records name, and that the module gives the recorded decisions on these inputs. Goes on after what does not hold.
 */
export async function checkReceipt(receipt: Receipt, verifiers: readonly NoteVerifier[], decide: DecideAnew): Promise<ReceiptCheck> {
  const findings: ReceiptFinding[] = [];
  const say = (what: string, holds: boolean | null, detail: string): void => void findings.push({ what, holds, detail });
  const opened = openCheckpoint(receipt.checkpoint, verifiers);
  const signed = opened.ok ? opened.checkpoint : undefined;
  say(
    'checkpoint',
    opened.ok,
    opened.ok ? `signed by \`${opened.checkpoint.origin}\` at ${opened.checkpoint.size} records` : opened.problem,
  );
  for (const record of receipt.records) await checkRecord(receipt, record, signed, decide, say);
  for (const release of receipt.releases) checkRelease(receipt, release, signed, say);
  return { ok: findings.every((one) => one.holds !== false), call: receipt.call, findings };
}

/** Reads a receipt's text. @throws GatewayError `request.invalid` where it is none */
export function parseReceipt(text: string): Receipt {
  try {
    const value = JSON.parse(text) as Receipt;
    const isWhole =
      (value as { castellan?: unknown }).castellan === 'audit-receipt' &&
      (value.v as number) === 1 &&
      [value.tenant, value.log, value.call, value.checkpoint].every((one) => typeof one === 'string') &&
      value.records.length > 0 &&
      [...value.records, ...value.releases.flatMap((one) => one.activated ?? [])].every(isRecord) &&
      value.releases.every((one) => [one.id, one.build, one.wasm, one.data].every((part) => typeof part === 'string')) &&
      value.records.every(
        ({ input }) =>
          input === undefined || (typeof input.json === 'string' && typeof input.salt === 'string' && entrypoints.includes(input.entry)),
      );
    if (isWhole) return value;
  } catch {
    // Said below, as for any other text that is no receipt.
  }
  throw new GatewayError('request.invalid', 'this is no receipt, or it was damaged: `castellan audit receipt` writes them');
}

type Say = (what: string, holds: boolean | null, detail: string) => void;
type Signed = { readonly size: number; readonly root: TreeHash } | undefined;

async function checkRecord(receipt: Receipt, one: ReceiptDecision, signed: Signed, decide: DecideAnew, say: Say): Promise<void> {
  const record = parsed(one.text);
  const name = `record ${one.seq}`;
  if (record?.call !== receipt.call || record.tenant !== receipt.tenant) {
    say(name, false, `it is not of the call \`${receipt.call}\``);
    return;
  }
  checkInclusion(name, one, signed, say);
  const { decision } = record;
  if (decision === undefined) return;
  const { input } = one;
  if (input === undefined) {
    say(`input of ${name}`, null, 'it is not in the receipt: that the record is genuine can be checked, that the decision follows cannot');
    return;
  }
  const isInput = checkInput(record, input.json, input.salt);
  say(
    `input of ${name}`,
    isInput,
    isInput ? 'it is the one that the decision names' : 'it is not the one that the decision names: it was edited or swapped',
  );
  if (!isInput) return;
  if (input.masked !== undefined) {
    say(
      `decision of ${name}`,
      null,
      `policy's mask changed ${input.masked.join(', ')} before the input was kept, so it cannot be made again`,
    );
    return;
  }
  await checkDecision(receipt, name, decision, input.entry, input.json, decide, say);
}

async function checkDecision(
  receipt: Receipt,
  name: string,
  decision: AuditDecision,
  entry: Entrypoint,
  inputJson: string,
  decide: DecideAnew,
  say: Say,
): Promise<void> {
  const what = `decision of ${name}`;
  const release = receipt.releases.find((one) => one.id === decision.release);
  if (release === undefined) {
    say(what, null, `the compiled policy of \`${decision.release}\` is not in the receipt`);
    return;
  }
  if (decision.fault !== undefined) {
    say(what, null, `policy could not decide (\`${decision.fault}\`) and the gateway refused: that depends on more than the input`);
    return;
  }
  const wasm = new Uint8Array(Buffer.from(release.wasm, 'base64'));
  const given = await decide({ wasm, data: release.data }, entry, inputJson);
  if (!given.ok) {
    say(what, false, `the module fails on this input (\`${given.fault}\`): ${given.message}`);
    return;
  }
  const [was, is] = [recordedAnswer(entry, decision), policyAnswer(entry, given.answer)];
  if (canonical(was) === canonical(is)) {
    say(what, true, `the module gives \`${decision.effect}\` again, with the same reasons`);
    return;
  }
  const [first] = decision.reasons;
  if (first !== undefined && decision.effect === 'deny' && isOverruled(first.rule, given.answer))
    say(
      what,
      null,
      `policy gives \`${(is as { readonly effect: string }).effect}\`, and the gateway itself refused: \`${first.rule}\`, ${first.message}`,
    );
  else say(what, false, `the module gives ${canonical(is)} and the record has ${canonical(was)}`);
}

function checkRelease(receipt: Receipt, release: ReceiptRelease, signed: Signed, say: Say): void {
  const what = `release ${release.id}`;
  const build = buildDigest(Buffer.from(release.wasm, 'base64'), release.data);
  if (build !== release.build) {
    say(what, false, 'the module or its data is not the one that the receipt names: it was edited or swapped');
    return;
  }
  if (release.activated === undefined) {
    say(what, null, 'the log no longer has the record of its coming into force: nothing signed says that this module is the one');
    return;
  }
  checkInclusion(`record ${release.activated.seq}, by which release ${release.id} came into force,`, release.activated, signed, say);
  const record = parsed(release.activated.text);
  const isNamed = record?.tenant === receipt.tenant && activatedBuild(release.activated.text, release.id) === build;
  say(
    what,
    isNamed,
    isNamed
      ? 'the module is the one that the log says came into force'
      : 'the log says that another module came into force under this name',
  );
}

function checkInclusion(name: string, { seq, text, proof }: ReceiptRecord, signed: Signed, say: Say): void {
  if (signed === undefined) {
    say(name, null, 'without a good checkpoint nothing says that it is genuine');
    return;
  }
  const isIn = rootByInclusion(leafHash(text), seq - 1, signed.size, proof.map(ofHex)) === signed.root;
  say(name, isIn, isIn ? 'it is in the log that was signed' : 'it is not in the log that was signed: it was edited, or is of another log');
}

/** Whether the gateway may have denied what policy allowed: for a reason of its own, or a limit that policy set. */
function isOverruled(rule: string, answer: unknown): boolean {
  const { limits } = answer as { readonly limits?: readonly { readonly rule: string }[] };
  return rule.startsWith('gateway/') || limits?.some((limit) => limit.rule === rule) === true;
}

/** What of a record policy said. */
function recordedAnswer(entry: Entrypoint, decision: AuditDecision): Json {
  const { effect, reasons, redactions = [], limits = [], labels = [], dry_run = [] } = decision;
  if (entry === 'gateway/list') return { visible: reasons[0]?.message ?? '' };
  return plain({ effect, reasons, redactions, limits, labels, dry_run });
}

function policyAnswer(entry: Entrypoint, answer: unknown): Json {
  if (entry === 'gateway/list') return { visible: `${(answer as { visible: readonly string[] }).visible.length} visible` };
  const { effect, reasons, redactions, limits, labels, dry_run } = answer as Record<string, unknown>;
  return plain({ effect, reasons, redactions, limits, labels, dry_run });
}

function plain(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

function isRecord(one: unknown): boolean {
  const { seq, text, proof } = one as Partial<ReceiptRecord>;
  return (
    Number.isSafeInteger(seq) &&
    typeof text === 'string' &&
    Array.isArray(proof) &&
    proof.every((step) => /^[0-9a-f]{64}$/.test(String(step)))
  );
}

function parsed(text: string): AuditRecord | undefined {
  try {
    return JSON.parse(text) as AuditRecord;
  } catch {
    return undefined; // told by the caller as a record that is not of the call
  }
}
