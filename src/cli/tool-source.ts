import type { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import type { ToolSource } from './analysis-tools.ts';

export interface ToolSourceOptions {
  readonly tools?: string;
  readonly config?: string;
}

/** The two ways to say which tools there are. */
export function toolSourceOptions(command: Command): Command {
  return command
    .option('--tools <file>', 'the tools, JSON or YAML: definitions with `server` and `labels`')
    .option('--config <file>', 'ask the upstreams of this configuration for their tools');
}

/** @throws GatewayError `request.invalid` unless exactly one of them is given */
export function toolSource({ tools, config }: ToolSourceOptions): ToolSource {
  if ((tools === undefined) === (config === undefined))
    throw new GatewayError('request.invalid', 'say which tools there are: give `--tools` or `--config`');
  return {
    ...(tools === undefined ? {} : { toolsFile: tools }),
    ...(config === undefined ? {} : { configPath: config }),
    env: process.env,
  };
}
