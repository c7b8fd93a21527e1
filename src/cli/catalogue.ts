import { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import type { Finding } from '../model/input.ts';
import type { CatalogueView, ServerView, ToolView } from '../upstream/catalogue-view.ts';
import { AdminClient } from './admin-client.ts';
import { visible, type Output } from './output.ts';
import type { CommandContext } from './program.ts';

interface Options {
  readonly server?: string;
  readonly config?: string;
}

/** `castellan catalogue`: what the gateway knows of its servers, with what agents are not shown. */
export function catalogueCommand({ app, output }: CommandContext): Command {
  return new Command('catalogue')
    .description('servers and tools: labels, pins, findings, problems; with a name, one server’s instructions or one tool’s definition')
    .argument('[name]', '`server` or `server/tool`')
    .option('--server <url>', 'the gateway; default: the one you are signed in at')
    .option('--config <file>', 'ask the servers of this configuration, without a running gateway')
    .action(async (name: string | undefined, options: Options) => {
      const view =
        options.config === undefined
          ? await AdminClient.connect(options, process.env).call<CatalogueView>('GET', '/catalogue')
          : await app.integrity.catalogue({ configPath: options.config, env: process.env });
      if (name === undefined) output.answer(view, () => catalogueText(output, view));
      else {
        const found = find(view, name);
        output.answer(found, () => ('definition' in found ? toolText(output, found) : serverText(output, found, true)));
      }
    });
}

function find({ servers }: CatalogueView, name: string): ServerView | ToolView {
  const [server = '', ...rest] = name.split('/');
  const found = servers.find((one) => one.name === server);
  if (found === undefined) throw new GatewayError('request.invalid', `there is no server \`${server}\`; see \`castellan catalogue\``);
  if (rest.length === 0) return found;
  const tool = found.tools.find((one) => one.name === rest.join('/'));
  if (tool === undefined)
    throw new GatewayError('request.invalid', `\`${server}\` has no tool \`${rest.join('/')}\`; see \`castellan catalogue\``);
  return tool;
}

function catalogueText(output: Output, { servers, endpoints }: CatalogueView): string {
  const kept = endpoints.flatMap(({ name, quarantined }) =>
    quarantined.map((one) => visible(`${name} keeps back ${one.kind} ${one.upstream}/${one.name}: ${one.reason}`)),
  );
  if (servers.length === 0) return 'no servers';
  return [...servers.map((server) => serverText(output, server, false)), ...(kept.length === 0 ? [] : [kept.join('\n')])].join('\n\n');
}

function serverText(output: Output, server: ServerView, isWhole: boolean): string {
  const { name, state, error, protocolVersion, problems, tools, instructions, suspicious } = server;
  const head = [output.paint('bold', visible(name)), output.paint(state === 'ready' ? 'green' : 'red', state)];
  if (protocolVersion !== undefined) head.push(`MCP ${protocolVersion}`);
  head.push(`${tools.length} tools, ${server.resources} resources, ${server.prompts} prompts`);
  const lines = [head.join('  ')];
  if (error !== undefined) lines.push(`  ${output.paint('red', visible(error))}`);
  for (const problem of problems) lines.push(`  ${output.paint('yellow', visible(problem))}`);
  if (instructions !== null) {
    const fate = instructions.withheld === undefined ? 'given to agents' : 'withheld';
    lines.push(`  instructions, ${fate}: ${isWhole ? shown(instructions.text, '    ') : `${instructions.text.length} characters`}`);
  }
  if (tools.length > 0) {
    const rows = tools.map((tool) => [visible(tool.name), visible(tool.labels.join(' ')), pinText(tool), findingsText(tool.findings)]);
    lines.push(output.table(['tool', 'labels', 'pin', 'findings'], rows));
  }
  if (suspicious.length > 0) {
    const rows = suspicious.map(({ kind, name: item, findings }) => [kind, visible(item), findingsText(findings)]);
    lines.push(output.table(['suspicious', 'name', 'findings'], rows));
    if (isWhole) for (const { definition } of suspicious) lines.push(shown(JSON.stringify(definition, null, 2), ''));
  }
  return lines.join('\n');
}

function pinText({ pinned, quarantined, malformed }: ToolView): string {
  if (malformed !== null) return `unusable: ${visible(malformed)}`;
  if (pinned) return 'pinned';
  return quarantined === null ? 'not pinned' : `quarantined: ${visible(quarantined)}`;
}

function findingsText(findings: readonly Finding[]): string {
  return findings.map(({ detector, pointer, count }) => `${detector}${count === 1 ? '' : ` ×${count}`} at ${visible(pointer)}`).join(', ');
}

function toolText(output: Output, tool: ToolView): string {
  const facts = [
    `${output.paint('bold', visible(tool.name))}  ${pinText(tool)}`,
    `digest    ${tool.digest}`,
    `labels    ${tool.labels.length === 0 ? 'none' : visible(tool.labels.join(' '))}`,
    `findings  ${tool.findings.length === 0 ? 'none' : findingsText(tool.findings)}`,
  ];
  return [...facts, shown(JSON.stringify(tool.definition, null, 2), '')].join('\n');
}

/** Line breaks stay, and all else that shows nothing is escaped. */
function shown(text: string, indent: string): string {
  return text.split('\n').map(visible).join(`\n${indent}`);
}
