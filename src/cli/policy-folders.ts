import type { Command } from 'commander';

/** The two folders that every policy command works on. */
export function policyFolders(command: Command): Command {
  return command.option('--policy <folder>', 'the rules', 'policies').option('--tests <folder>', 'their tests', 'policy-tests');
}
