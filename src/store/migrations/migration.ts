/**
 * One step of the schema. Never changed once released: its checksum is recorded in the database. `both` runs first, then the engine's own.
 * Columns named `…_json` hold JSON text, `…_ms` integer milliseconds since 1970; digests are `sha256:` and hex digits unless a
 * comment says otherwise.
 */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly both: readonly string[];
  readonly sqlite: readonly string[];
  readonly postgres: readonly string[];
}
