import { cliPage } from './cli-page.ts';
import { scanPage } from './scan-page.ts';
import { decisionPage, inputPage } from './schema-pages.ts';
import { surfacesPage } from './surfaces-page.ts';

/** The pages that are made from code and schemas, by path. */
export const generatedPages: Readonly<Record<string, () => string | Promise<string>>> = {
  'docs/reference/cli.md': cliPage,
  'docs/reference/policy-input.md': inputPage,
  'docs/reference/policy-decision.md': decisionPage,
  'docs/reference/surfaces.md': surfacesPage,
  'docs/reference/definition-scan.md': scanPage,
};
