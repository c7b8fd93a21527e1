import { GatewayError } from '../model/errors.ts';
import type { JsonObject } from '../model/json.ts';
import type { OpaTools } from './ports.ts';

/** Which lints count, and how. */
export interface LintSettings {
  /** Ids of lints that are switched off. */
  readonly disable: readonly string[];
  /** Ids of lints that are told and do not fail. */
  readonly warn: readonly string[];
  /** Id of a lint to patterns of files (`policies/rules/old/**`) that it passes over. */
  readonly ignore: Readonly<Record<string, readonly string[]>>;
  readonly 'table-literal': { readonly max_entries: number };
  /** Further keys of METADATA `custom` that each rule must have. */
  readonly metadata: { readonly require: readonly string[] };
  /** Rules that something outside asks for: `gateway/report`. */
  readonly unreachable: { readonly used: readonly string[] };
}

/** The file that is looked for in the policy folder, and beside it. */
export const lintFileName = '.castellan-lint.yaml';

export const defaultLintSettings: LintSettings = {
  disable: [],
  warn: [],
  ignore: {},
  'table-literal': { max_entries: 16 },
  metadata: { require: [] },
  unreachable: { used: [] },
};

const isText = (value: unknown): value is string => typeof value === 'string';
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Key to what it must be, and the test of it. */
const shape: Readonly<Record<keyof LintSettings, readonly [string, (value: unknown) => boolean]>> = {
  disable: ['a list of lint ids', isTexts],
  warn: ['a list of lint ids', isTexts],
  ignore: ['lint ids, each with a list of file patterns', (value) => isObject(value) && Object.values(value).every(isTexts)],
  'table-literal': ['`max_entries: <number>`', (value) => only(value, 'max_entries', (entries) => Number.isInteger(entries))],
  metadata: ['`require: [<key of custom>, …]`', (value) => only(value, 'require', isTexts)],
  unreachable: ['`used: [<package/rule>, …]`', (value) => only(value, 'used', isTexts)],
};

function only(value: unknown, key: string, test: (inner: unknown) => boolean): boolean {
  return isObject(value) && Object.keys(value).every((name) => name === key) && test(value[key]);
}

/**
 * Settings from the text of a lint file (YAML), and the ids of the command line on top.
 * @throws GatewayError `config.invalid` that names the file, the key and what it must be
 */
export async function readLintSettings(
  opa: Pick<OpaTools, 'builtin'>,
  file: { readonly name: string; readonly text: string } | undefined,
  disable: readonly string[],
  ids: readonly string[],
): Promise<LintSettings> {
  const given = file === undefined ? {} : await parse(opa, file);
  const where = file?.name ?? '';
  for (const [key, value] of Object.entries(given)) {
    const rule = Object.hasOwn(shape, key) ? shape[key as keyof LintSettings] : undefined;
    if (rule === undefined) throw invalid(where, `\`${key}\` is no setting; there are ${Object.keys(shape).join(', ')}`);
    if (!rule[1](value)) throw invalid(where, `\`${key}\` must be ${rule[0]}`);
  }
  const settings = { ...defaultLintSettings, ...(given as Partial<LintSettings>) };
  for (const id of [...settings.disable, ...settings.warn, ...Object.keys(settings.ignore)])
    if (!ids.includes(id)) throw invalid(where, `\`${id}\` is no lint; there are ${ids.join(', ')}`);
  for (const id of disable)
    if (!ids.includes(id))
      throw new GatewayError('request.invalid', `\`--disable ${id}\`: there is no such lint; there are ${ids.join(', ')}`);
  return { ...settings, disable: [...settings.disable, ...disable] };
}

async function parse(
  opa: Pick<OpaTools, 'builtin'>,
  { name, text }: { readonly name: string; readonly text: string },
): Promise<JsonObject> {
  const json = await opa.builtin({ name: 'yaml.unmarshal', args: [JSON.stringify(text)] });
  const value: unknown = json === undefined ? undefined : JSON.parse(json);
  if (value === null) return {};
  if (!isObject(value)) throw invalid(name, 'it is no YAML with settings; see `castellan policy check --help`');
  return value;
}

function invalid(file: string, message: string): GatewayError {
  return new GatewayError('config.invalid', `\`${file}\`: ${message}`);
}
