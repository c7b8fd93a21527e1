import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { castellan, RunningCommand, type Ended } from '../cli/castellan.ts';

const rule = `# METADATA
# title: Large refunds
# description: Nobody refunds more than 100.
# custom:
#   id: BILLING-001
#   severity: high
#   owner: finance
package rules.billing.large_refund

about := rego.metadata.chain()

deny contains "too much" if {
	input.tool.name == "refund"
	input.arguments.amount > data.limits.refund
}
`;

const twin = `package rules.billing.large_refund_test

import data.rules.billing.large_refund as rule

_refund(amount) := {"tool": {"name": "refund"}, "arguments": {"amount": amount}}

test_large_is_denied if "too much" in rule.deny with input as _refund(101)

test_small_passes if count(rule.deny) == 0 with input as _refund(100)
`;

const gateway = `# METADATA
# title: Entrypoints
package gateway

call := {"deny": data.rules.billing.large_refund.deny, "about": data.rules.billing.large_refund.about[1].annotations.title}

result := call

message := call

list := call

mask := call
`;

const answer = (...deny: string[]): unknown => ({ deny, about: 'Large refunds' });

const cases = {
  large_refund: [
    {
      name: 'a large refund',
      entrypoint: 'gateway/call',
      input: { tool: { name: 'refund' }, arguments: { amount: 500 } },
      expect: answer('too much'),
    },
    {
      name: 'a large refund where more is allowed',
      entrypoint: 'gateway/call',
      data: { limits: { refund: 1000 } },
      input: { tool: { name: 'refund' }, arguments: { amount: 500 } },
      expect: answer(),
    },
  ],
};

/** A small policy repository in a scratch folder, and the commands run in it. */
export class Repository {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  static async open(): Promise<Repository> {
    const repository = new Repository(await mkdtemp(join(tmpdir(), 'castellan-authoring-')));
    await repository.put('policies/gateway/gateway.rego', gateway);
    await repository.put('policies/rules/billing/large_refund.rego', rule);
    await repository.put('policies/data.json', '{"limits": {"refund": 100}}\n');
    await repository.put('policy-tests/rules/billing/large_refund_test.rego', twin);
    await repository.put('policy-tests/cases/billing/large_refund.json', `${JSON.stringify(cases, null, 2)}\n`);
    return repository;
  }

  path(name: string): string {
    return join(this.root, name);
  }

  async put(name: string, text: string): Promise<void> {
    await mkdir(dirname(this.path(name)), { recursive: true });
    await writeFile(this.path(name), text);
  }

  /** `castellan policy …` in this folder. */
  policy(...args: string[]): Promise<Ended> {
    return castellan(['policy', ...args], { cwd: this.root });
  }

  start(...args: string[]): RunningCommand {
    return new RunningCommand(['policy', ...args], { cwd: this.root });
  }

  async with(name: string, text: string, work: () => Promise<void>): Promise<void> {
    await this.put(name, text);
    try {
      await work();
    } finally {
      await rm(this.path(name));
    }
  }

  close(): Promise<void> {
    return rm(this.root, { recursive: true, force: true });
  }
}
