import { readFile } from 'node:fs/promises';
import { GatewayError } from '../model/errors.ts';

/** Keys and checkpoints as they were given on the command line: texts, or the files that they are in. @throws GatewayError `request.invalid` */
export async function readGiven<T extends { readonly keys?: readonly string[]; readonly checkpoints?: readonly string[] }>(
  request: T,
): Promise<T & { keys: string[]; checkpoints: string[] }> {
  const isKey = (text: string): boolean => /^[^\s+]+\+[0-9a-f]{8}\+/u.test(text);
  const keys = await Promise.all((request.keys ?? []).map(async (key) => (isKey(key) ? key : textOf(key))));
  return { ...request, keys, checkpoints: await Promise.all((request.checkpoints ?? []).map(textOf)) };
}

/** The text of a file. @throws GatewayError `request.invalid` */
export async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new GatewayError('request.invalid', `\`${path}\` cannot be read; name a file that is there`, { cause });
  }
}
