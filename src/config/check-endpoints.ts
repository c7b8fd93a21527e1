import { compileValidator } from '../model/validate.ts';
import { callToolName, findToolName } from '../model/own-tools.ts';
import type { KnownNames } from './check-access.ts';
import { nearest } from './nearest.ts';
import { listed, type Path, type Problem } from './problem.ts';
import type { Config, EndpointConfig } from './schema-types.ts';
import { fitsPattern } from './tool-pattern.ts';

/** What the schema cannot say about endpoints: names that must lead somewhere, and names that must differ. */
export function checkEndpoints({ endpoints }: Config, known: KnownNames): Problem[] {
  return Object.entries(endpoints).flatMap(([name, endpoint]) => [
    ...checkMembers(endpoint, ['endpoints', name], known),
    ...checkRenames(endpoint, ['endpoints', name]),
    ...checkVariants(endpoint, ['endpoints', name]),
    ...checkExposedNames(endpoint, ['endpoints', name]),
    ...checkToolSearch(endpoint, ['endpoints', name]),
  ]);
}

function checkMembers(endpoint: EndpointConfig, path: Path, known: KnownNames): Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const [index, { name }] of endpoint.upstreams.entries()) {
    const at = [...path, 'upstreams', index, 'name'];
    if (!known.upstreams.has(name))
      problems.push({ path: at, message: `there is no upstream \`${name}\`; ${meant(name, known.upstreams)}` });
    else if (seen.has(name)) problems.push({ path: at, message: `upstream \`${name}\` is there twice; merge the two entries` });
    seen.add(name);
  }
  return problems;
}

function meant(name: string, names: ReadonlySet<string>): string {
  const near = nearest(name, names);
  if (near !== undefined) return `did you mean \`${near}\`?`;
  return names.size === 0 ? 'add it under `upstreams`' : `there are ${listed([...names])}`;
}

function checkMember(endpoint: EndpointConfig, upstream: string, path: Path): Problem[] {
  const names = endpoint.upstreams.map(({ name }) => name);
  if (names.includes(upstream)) return [];
  const near = nearest(upstream, names);
  const cure = near === undefined ? 'add it to its `upstreams`' : `did you mean \`${near}\`?`;
  return [{ path: [...path, 'upstream'], message: `\`${upstream}\` is not an upstream of this endpoint; ${cure}` }];
}

function checkRenames(endpoint: EndpointConfig, path: Path): Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const [index, { upstream, tool }] of endpoint.rename.entries()) {
    const at = [...path, 'rename', index];
    problems.push(...checkMember(endpoint, upstream, at));
    const member = endpoint.upstreams.find(({ name }) => name === upstream);
    const offered =
      member === undefined ||
      (member.tools.some((each) => fitsPattern(tool, each)) && !member.exclude.some((each) => fitsPattern(tool, each)));
    if (!offered)
      problems.push({
        path: [...at, 'tool'],
        message: `\`${tool}\` is not offered here: \`tools\` and \`exclude\` of \`${upstream}\` leave it out; let it in, or remove this entry`,
      });
    const key = JSON.stringify([upstream, tool]);
    if (seen.has(key))
      problems.push({ path: [...at, 'tool'], message: `\`${tool}\` is renamed twice; remove one, or make the second a variant` });
    seen.add(key);
  }
  return problems;
}

function checkVariants(endpoint: EndpointConfig, path: Path): Problem[] {
  const problems: Problem[] = [];
  for (const [index, variant] of endpoint.variants.entries()) {
    const at = [...path, 'variants', index];
    problems.push(...checkMember(endpoint, variant.upstream, at));
    if (Object.keys(variant.pin).length + Object.keys(variant.narrow).length === 0)
      problems.push({
        path: at,
        message: 'a variant that fixes and narrows nothing is the tool itself; add `pin` or `narrow`, or use `rename`',
      });
    for (const [argument, schema] of Object.entries(variant.narrow)) {
      if (Object.hasOwn(variant.pin, argument))
        problems.push({
          path: [...at, 'narrow', argument],
          at: 'key',
          message: `\`${argument}\` is pinned too; a pinned argument has one value, so remove this`,
        });
      const wrong = schemaFault(schema);
      if (wrong !== undefined) problems.push({ path: [...at, 'narrow', argument], message: `not a JSON Schema (${wrong}); correct it` });
    }
  }
  return problems;
}

function schemaFault(schema: Readonly<Record<string, unknown>>): string | undefined {
  try {
    compileValidator(schema);
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.message.split(/[\n,]/)[0] ?? '') : 'it does not compile';
  }
}

function checkExposedNames(endpoint: EndpointConfig, path: Path): Problem[] {
  const problems: Problem[] = [];
  const seen = new Map<string, string>();
  for (const list of ['rename', 'variants'] as const) {
    for (const [index, { as }] of endpoint[list].entries()) {
      const before = seen.get(as);
      if (before === undefined) seen.set(as, `${list}[${index}]`);
      else problems.push({ path: [...path, list, index, 'as'], message: `\`${as}\` is the name of \`${before}\` too; take another` });
    }
  }
  return problems;
}

/** The gateway's own tools need their names for themselves; what upstreams turn out to list is checked when it is known. */
function checkToolSearch({ tool_search: search, upstreams, rename, variants }: EndpointConfig, path: Path): Problem[] {
  if (!search.enabled) return [];
  const problems: Problem[] = [];
  const refuse = (name: string, at: Path): void => {
    if (name === findToolName || name === callToolName)
      problems.push({ path: at, message: `\`${name}\` is the gateway's own tool where \`tool_search\` is enabled; take another name` });
  };
  for (const [index, { as }] of rename.entries()) refuse(as, [...path, 'rename', index, 'as']);
  for (const [index, { as }] of variants.entries()) refuse(as, [...path, 'variants', index, 'as']);
  for (const [index, { name: upstream, tools }] of upstreams.entries())
    for (const [at, tool] of tools.entries())
      if (!rename.some((one) => one.upstream === upstream && one.tool === tool)) refuse(tool, [...path, 'upstreams', index, 'tools', at]);
  if (search.results > search.max_results)
    problems.push({ path: [...path, 'tool_search', 'results'], message: '`results` is above `max_results`; lower it, or raise that' });
  return problems;
}
