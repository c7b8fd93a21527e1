import type { AuditRecord } from '../model/audit-record.ts';
import type { Db, SqlValue } from '../model/ports.ts';

const maxWords = 16;

function wordsOf(text: string | undefined): readonly string[] {
  const words = (text ?? '').toLowerCase().split(/\s+/);
  return words.filter((word) => word !== '').slice(0, maxWords);
}

/** The filter with its words. Those that both engines fold alike are looked for in the database; the others by {@link hasWords}. */
export function withText(
  filter: { readonly conditions: readonly string[]; readonly params: readonly SqlValue[] },
  text: string | undefined,
  engine: Db['engine'],
): { readonly conditions: readonly string[]; readonly params: readonly SqlValue[] } {
  const conditions = [...filter.conditions];
  const params = [...filter.params];
  for (const word of wordsOf(text))
    if (/^[\x21-\x7e]+$/.test(word))
      conditions.push(`${engine === 'sqlite' ? 'instr' : 'strpos'}(lower(record), $${params.push(JSON.stringify(word).slice(1, -1))}) > 0`);
  return { conditions, params };
}

/** Whether each word stands somewhere in the record's texts. */
export function hasWords(record: AuditRecord, text: string | undefined): boolean {
  const words = wordsOf(text);
  if (words.length === 0) return true;
  const held = texts(record).join('\n').toLowerCase();
  return words.every((word) => held.includes(word));
}

/** Every text in a value; keys are not part of what was said. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(texts) : [];
}
