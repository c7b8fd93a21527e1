import { Command } from 'commander';
import { version } from '../version.ts';
import type { CommandContext } from './program.ts';

/** `castellan version`. */
export function versionCommand({ output }: CommandContext): Command {
  return new Command('version').description('the version of this gateway and of what it runs on').action(() => {
    const facts = { castellan: version, node: process.versions.node, v8: process.versions.v8 };
    output.answer(facts, () => `castellan ${version}, Node.js ${process.versions.node}`);
  });
}
