import { hiddenRules, wordRules, type DefinitionRule } from '../../src/content/definition-rules.ts';
import { shadowRules } from '../../src/upstream/shadowing.ts';

/** `docs/reference/definition-scan.md`, from the rules. */
export function scanPage(): string {
  return `<!-- Made by \`node test/docs/generate.ts\` from src/content/definition-rules.ts and src/upstream/shadowing.ts; edit those, or the words in test/docs/scan-page.ts. -->

# The scan of definitions

When a server lists its tools, prompts, resources and templates, and when it gives instructions, the gateway looks through every string of them: names, titles, descriptions, schemas, defaults, names of parameters, \`_meta\`.
What it finds is in policy's input (\`tool.findings\`, \`item.findings\` for prompts and resources, and in lists: detector, place and count, never the text) and in \`castellan catalogue\`.

- Letters that only look like Latin ones, characters without width and runs of white space do not hide a word from it.
- A scan finds what somebody thought of. It does not replace [the review of a definition](../operations/tool-integrity.md), it makes it quicker.
- **Instructions** of a server go to no agent where anything was found in them; the rules marked with * are for definitions only.

| detector | finds | severity |
|---|---|---|
${[...wordRules, ...hiddenRules, ...shadowRules].map(row).join('\n')}

The shipped rule \`tools/suspicious\` hides and refuses a tool with any finding, except what \`data.definitions.notices\` lists (the notices above), or \`data.definitions.accepted\` has for
that very tool: \`{"files": {"read_file": {"shadow.mention": true}}}\`. A detector that is new counts until somebody lists it. Prompts and resources are
treated alike; what somebody looked at is under \`data.definitions.accepted_items\`, by the prompt's name, the resource's URI or the template. Shadowing is looked for among tools.
`;
}

function row(rule: DefinitionRule): string {
  const mark = 'only' in rule ? ' *' : '';
  return `| \`${rule.detector}\`${mark} | ${rule.means.replaceAll('|', '\\|')} | ${rule.severity} |`;
}
