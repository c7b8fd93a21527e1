import type { SinkProduct, SinkRecord } from './sink.ts';

const severities: Readonly<Record<string, number>> = { deny: 7, refused: 6, require_approval: 5, redact: 4 };

/**
 * A record as a line of ArcSight's Common Event Format, version 0. Keys are those of the format's dictionary; `cs1` to `cs6` say by their labels
 * what they hold.
 * @see https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors-8.4/cef-implementation-standard/
 */
export function cefLine({ seq, hash, record }: SinkRecord, product: SinkProduct): string {
  const { who, what, decision, outcome, event } = record;
  const effect = decision?.effect ?? outcome?.status ?? (record.kind === 'refused' ? 'deny' : undefined);
  const severity = severities[decision?.effect ?? record.kind] ?? 3;
  const signature = `${record.kind}:${what?.method ?? event?.code ?? ''}`;
  const name = what === undefined ? (event?.message ?? record.kind) : `${what.method} ${what.server ?? '-'}/${what.name}`;
  const head = ['CEF:0', 'Castellan', 'Castellan', product.version, signature, name, String(severity)].map((part, index) =>
    index === 0 ? part : header(part),
  );
  const ip = record.ip ?? '';
  const pairs: readonly (readonly [string, string | number | undefined])[] = [
    ['rt', Date.parse(record.at)],
    ['externalId', seq],
    ['act', effect],
    ['outcome', outcome?.status],
    [ip.includes(':') ? 'c6a2' : 'src', ip === '' ? undefined : ip],
    ...(ip.includes(':') ? [['c6a2Label', 'Source IPv6 Address'] as const] : []),
    ['suid', who?.subject],
    ['suser', who?.subject],
    ['sourceServiceName', who?.client],
    ['dvchost', product.host],
    ['destinationServiceName', what?.server ?? undefined],
    ['request', what?.endpoint],
    ['requestMethod', what?.method],
    ['reason', decision?.reasons.map(({ message }) => message).join('; ') ?? event?.message],
    ['in', what?.bytes],
    ['out', outcome?.bytes],
    ...labelled('cs1', 'rules', decision?.reasons.map(({ rule }) => rule).join(',')),
    ...labelled('cs2', 'release', decision?.release),
    ...labelled('cs3', 'call', record.call),
    ...labelled('cs4', 'issuer', who?.issuer),
    ...labelled('cs5', 'hash', hash),
    ...labelled('cs6', 'trace', record.trace),
  ];
  const extension = pairs.flatMap(([key, value]) => (value === undefined || value === '' ? [] : [`${key}=${escaped(String(value))}`]));
  return `${head.join('|')}|${extension.join(' ')}`;
}

function labelled(key: string, label: string, value: string | undefined): readonly (readonly [string, string | undefined])[] {
  return value === undefined || value === ''
    ? []
    : [
        [key, value],
        [`${key}Label`, label],
      ];
}

/** In the header a pipe and a backslash are escaped, and no line may break. */
function header(text: string): string {
  return oneLine(text).replace(/[\\|]/g, '\\$&').slice(0, 512).toWellFormed();
}

/** In the extension an equals sign and a backslash are escaped, and line breaks written as such. */
function escaped(text: string): string {
  const cut = text.slice(0, 1_023).toWellFormed();
  return cut
    .replace(/[\\=]/g, '\\$&')
    .replace(/\r\n|\r|\n/g, '\\n')
    .replace(controls, ' ');
}

function oneLine(text: string): string {
  return text.replace(controls, ' ');
}

const controls = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/g;
