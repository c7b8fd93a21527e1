import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A page of the manual. */
export interface Page {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** The README, everything under `docs/`, and the policies' own page. */
export function pages(): readonly Page[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name));
  return ['README.md', 'CHANGELOG.md', 'policies/README.md', ...docs.sort()].map(page);
}

export function page(path: string): Page {
  return { path: relative(root, join(root, path)), text: readFileSync(join(root, path), 'utf8') };
}

/** A fenced block. */
export interface Block {
  /** What stands behind the fence: `sh run`, `text`. */
  readonly info: string;
  readonly text: string;
  readonly line: number;
}

export function blocks({ text }: Page): readonly Block[] {
  return [...text.matchAll(/^```([^\n]*)\n([^]*?)^```$/gm)].map(({ 1: info = '', 2: body = '', index }) => ({
    info,
    text: body,
    line: text.slice(0, index).split('\n').length,
  }));
}

/** The page without its fenced blocks and code spans. */
export function prose({ text }: Page): string {
  return text.replace(/^```[^\n]*\n[^]*?^```$/gm, '').replace(/`[^`\n]*`/g, '');
}

/** The anchors that a page's headings make, as code forges make them. */
export function anchors({ text }: Page): ReadonlySet<string> {
  const headings = [...text.replace(/^```[^\n]*\n[^]*?^```$/gm, '').matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    ),
  );
}
