import { GatewayError } from '../model/errors.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import { callToolName, findToolName } from '../model/own-tools.ts';
import type { ToolSearch } from '../upstream/endpoint.ts';
import { member } from './call.ts';

export const maxQueryLength = 500;

/** The two tools that an endpoint with tool search lists in place of all. */
export function ownTools({ results, maxResults }: ToolSearch): JsonObject[] {
  return [
    {
      name: findToolName,
      title: 'Find a tool',
      description: `Finds tools by words of their names and descriptions. Gives each tool's name, description and input schema; call it with \`${callToolName}\`.`,
      inputSchema: {
        type: 'object',
        properties: {
          query: { type: 'string', minLength: 1, maxLength: maxQueryLength, description: 'What the tool should do, in a few words.' },
          limit: { type: 'integer', minimum: 1, maximum: maxResults, default: results, description: 'How many tools to give at most.' },
        },
        required: ['query'],
        additionalProperties: false,
      },
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    {
      name: callToolName,
      title: 'Call a tool',
      description: `Calls a tool that \`${findToolName}\` gave, with arguments that fit its input schema.`,
      inputSchema: {
        type: 'object',
        properties: {
          name: { type: 'string', description: 'The name of the tool.' },
          arguments: { type: 'object', description: "Its arguments, as the tool's input schema asks for them." },
        },
        required: ['name'],
        additionalProperties: false,
      },
    },
  ];
}

/** The params of the call that `call_tool` stands for. @throws GatewayError `rpc.params` */
export function calledTool(params: JsonObject | undefined): JsonObject {
  const { arguments: given, ...others } = params ?? {};
  const asked = isJsonObject(given) ? given : {};
  const name = member(asked, 'name');
  const wrong = Object.keys(asked).find((key) => key !== 'name' && key !== 'arguments');
  if (typeof name !== 'string' || wrong !== undefined)
    throw unfit(callToolName, wrong === undefined ? '`name` must be the name of a tool' : `\`${wrong.slice(0, 40)}\` is not known`);
  if (name === callToolName || name === findToolName) throw unfit(callToolName, `\`${name}\` is called by its own name`);
  return { ...others, name, arguments: member(asked, 'arguments') ?? {} };
}

/** Arguments of one of the gateway's own tools that do not fit. */
export function unfit(tool: string, problem: string): GatewayError {
  return new GatewayError('rpc.params', `the arguments of \`${tool}\` do not fit its schema: ${problem}`);
}
