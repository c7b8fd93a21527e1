import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GatewayError } from '../model/errors.ts';

/** What is written beside the shipped policies: path in the repository to the file's name in `starter/`. */
const own: Readonly<Record<string, string>> = {
  'castellan.yaml': 'castellan.yaml',
  'README.md': 'README.md',
  '.castellan-lint.yaml': 'castellan-lint.yaml',
  '.github/workflows/policy.yml': 'workflow.yml',
  '.gitignore': 'gitignore',
};

/** The policies and their tests lie at the root of the package, beside the folder that this file is in. */
const shipped = ['policies', 'policy-tests'];

/**
 * Writes a policy repository into a new or empty folder: the policies that ship, their tests and golden cases, schemas, capabilities, a
 * configuration and a workflow. Gives the paths, sorted.
 * @throws GatewayError `request.invalid` where the folder is not empty or cannot be written
 */
export async function startRepository(folder: string): Promise<readonly string[]> {
  const there = await entries(folder);
  if (there.length > 0)
    throw new GatewayError(
      'request.invalid',
      `\`${folder}\` is not empty (it has \`${there[0] ?? ''}\`); choose a folder that is not there yet`,
    );
  try {
    await mkdir(folder, { recursive: true });
    for (const name of shipped)
      await cp(fileURLToPath(new URL(`../../${name}/`, import.meta.url)), join(folder, name), { recursive: true });
    for (const [path, name] of Object.entries(own)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), await readFile(new URL(`./starter/${name}`, import.meta.url)));
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError('request.invalid', `\`${folder}\` cannot be written (${why}); choose a folder that you may write to`, { cause });
  }
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  return files
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, '/').length).replaceAll('\\', '/'))
    .sort();
}

async function entries(folder: string): Promise<readonly string[]> {
  try {
    if (!(await stat(folder)).isDirectory())
      throw new GatewayError('request.invalid', `\`${folder}\` is a file; choose a folder that is not there yet`);
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
