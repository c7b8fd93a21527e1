import type { Environment, SetupCheck } from '../cli/application.ts';
import { loadConfig } from '../config/load.ts';
import { GatewayError } from '../model/errors.ts';
import { tryPolicy } from './policy.ts';
import { upstreamOptions } from './upstreams.ts';

/** What is wrong with a configuration and its policy, without starting anything. */
export async function checkSetup(configPath: string, env: Environment): Promise<SetupCheck> {
  try {
    const { config } = loadConfig(configPath, env);
    upstreamOptions(config);
    const policy = await tryPolicy(config.policy);
    return { ...policy, upstreams: Object.keys(config.upstreams).length, endpoints: Object.keys(config.endpoints).length };
  } catch (error) {
    if (error instanceof GatewayError) return { problems: error.message.split('\n'), upstreams: 0, endpoints: 0, release: null, tests: 0 };
    throw error;
  }
}
