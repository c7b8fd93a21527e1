import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

const billing = `# METADATA
# title: Large refunds need a human
# description: Finance approves refunds over 100.
# custom:
#   owner: finance-security
package rules.billing.large_refund

require_approval contains {"message": "refunds over 100 need finance", "groups": ["finance"]} if {
	input.target == {"kind": "tool", "server": "billing", "name": "refund"}
	input.arguments.amount > 100
}
`;

const grants = `# METADATA
# title: Tools by group
package rules.access.grant

allow contains "granted" if {
	some group in input.identity.groups
	input.target.name in data.grants[group]
}

deny contains {"message": sprintf("%s is closed", [input.target.name]), "hint": "ask"} if {
	input.target.name in data.closed
}
`;

const secrets = `package rules.content.secrets

redact contains {"pointer": finding.pointer, "as": "mask"} if {
	input.phase == "result"
	some finding in input.findings
}
`;

const gateway = `package gateway

import data.lib.sets

default call := {"effect": "deny", "reasons": []}

# METADATA
# title: The decision about a call
# entrypoint: true
call := {"effect": "require_approval", "reasons": sets.sorted(_approvals)} if count(_approvals) > 0

call := {"effect": "allow", "reasons": []} if {
	count(_approvals) == 0
	some topic, rule
	count(data.rules[topic][rule].allow) > 0
}

_approvals contains reason if {
	some topic, rule
	some member in data.rules[topic][rule].require_approval
	reason := {"rule": concat("/", [topic, rule]), "message": member.message}
}

result := {"redactions": [r | some r in data.rules.content.secrets.redact]}
`;

const lib = `package lib.sets

sorted(s) := sort(s)

unused(x) := x
`;

const billingTest = `package rules.billing.large_refund_test

import data.rules.billing.large_refund

refund(amount) := {"target": {"kind": "tool", "server": "billing", "name": "refund"}, "arguments": {"amount": amount}}

test_large if {
	count(large_refund.require_approval) == 1 with input as refund(101)
}

test_small if {
	count(large_refund.require_approval) == 0 with input as refund(100)
}
`;

/** A small policy repository in the shape of docs/rego-contract.md. */
export const policies: Readonly<Record<string, string>> = {
  'policies/rules/billing/large_refund.rego': billing,
  'policies/rules/access/grant.rego': grants,
  'policies/rules/content/secrets.rego': secrets,
  'policies/gateway/gateway.rego': gateway,
  'policies/lib/sets.rego': lib,
  'policies/data.json': '{"closed":["drop"],"grants":{"eng":["refund","read"]},"limits":{"big":12345678901234567890}}',
};

export const policyTests: Readonly<Record<string, string>> = {
  'policy-tests/rules/billing/large_refund_test.rego': billingTest,
};

export const release = {
  files: policies,
  paths: ['policies'],
  bundle: true,
  ignore: ['*_test.rego'],
} as const;

/** The stock command, from the path or where `go install` puts it. */
export function stockOpa(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), join(homedir(), 'go/bin')];
  return folders.map((folder) => join(folder, 'opa')).find((file) => existsSync(file));
}

/** For the `skip` of a test that compares with stock OPA: never skips in CI, where the command has to be present. */
export const withoutStockOpa = stockOpa() === undefined && process.env['CI'] === undefined ? 'the opa command is not installed' : false;

export interface StockRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs stock OPA in a folder that holds the files, and removes the folder; `read` sees it before that. */
export async function runStock<T = undefined>(
  files: Readonly<Record<string, string>>,
  args: readonly string[],
  read?: (folder: string) => T,
): Promise<StockRun & { read: T | undefined }> {
  const command = stockOpa();
  if (command === undefined) throw new Error('the opa command is not installed; CI needs it to compare with');
  const folder = mkdtempSync(join(tmpdir(), 'castellan-rego-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const run = await new Promise<StockRun>((resolve) => {
      execFile(command, args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });
    return { ...run, read: read?.(folder) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
