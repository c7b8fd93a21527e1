import { ByteWriter, ParquetWriter, type SchemaElement } from 'hyparquet-writer';
import { exportColumns, type ExportCell, type ExportColumn } from './export-columns.ts';
import type { StoredRecord } from './read.ts';

const rowsPerGroup = 10_000;

/** Records as a Parquet file, piece by piece; a group of rows is in memory at a time. */
export async function* parquetChunks(pages: AsyncIterable<readonly StoredRecord[]>): AsyncIterable<Uint8Array> {
  const bytes = new ByteWriter();
  const file = new ParquetWriter({ writer: bytes, schema: schema() });
  let rows: StoredRecord[] = [];
  const taken = (): Uint8Array => {
    const chunk = bytes.getBytes().slice();
    bytes.index = 0;
    return chunk;
  };
  const write = async (): Promise<Uint8Array> => {
    const group = rows;
    rows = [];
    const columnData = exportColumns.map((column) => ({ name: column.name, data: group.map((row) => valueOf(column, row)) }));
    await file.write({ columnData, rowGroupSize: rowsPerGroup });
    return taken();
  };
  for await (const page of pages) {
    rows.push(...page);
    if (rows.length >= rowsPerGroup) yield await write();
  }
  if (rows.length > 0) yield await write();
  await file.finish();
  yield taken();
}

function schema(): SchemaElement[] {
  const columns = exportColumns.map(({ name, type }): SchemaElement => {
    const repetition = { name, repetition_type: 'OPTIONAL' } as const;
    if (type === 'text') return { ...repetition, type: 'BYTE_ARRAY', converted_type: 'UTF8' };
    return type === 'whole' ? { ...repetition, type: 'INT64' } : { ...repetition, type: 'DOUBLE' };
  });
  return [{ name: 'root', num_children: columns.length }, ...columns];
}

function valueOf({ type, of }: ExportColumn, { seq, hash, record }: StoredRecord): ExportCell | bigint {
  const value = of(record, { seq, hash }) ?? null;
  return type === 'whole' && typeof value === 'number' ? BigInt(Math.trunc(value)) : value;
}
