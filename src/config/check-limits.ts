import { statSync } from 'node:fs';
import type { Problem } from './problem.ts';
import type { Config } from './schema-types.ts';

/** Numbers that must fit each other, and folders that must be there. */
export function checkLimits(config: Config): Problem[] {
  const { limits, approvals, policy } = config;
  const problems: Problem[] = [];
  if (approvals.wait_ms >= limits.call_timeout_ms)
    problems.push({
      path: ['approvals', 'wait_ms'],
      message: `must be less than \`limits.call_timeout_ms\` (${limits.call_timeout_ms}), or the call ends before the decision; lower it or raise that`,
    });
  if (policy.deadline_ms >= limits.call_timeout_ms)
    problems.push({ path: ['policy', 'deadline_ms'], message: `must be less than \`limits.call_timeout_ms\` (${limits.call_timeout_ms})` });
  if (limits.sessions_per_identity > limits.sessions)
    problems.push({ path: ['limits', 'sessions_per_identity'], message: `must be at most \`limits.sessions\` (${limits.sessions})` });
  if (policy.bundle !== undefined && statSync(policy.bundle, { throwIfNoEntry: false }) === undefined)
    problems.push({ path: ['policy', 'bundle'], message: `there is no \`${policy.bundle}\`; name a bundle that \`opa build\` made` });
  if (policy.bundle === undefined && !isFolder(policy.path))
    problems.push({
      path: ['policy', 'path'],
      message: `there is no folder \`${policy.path}\`; name the one with the Rego`,
    });
  if (policy.run_tests && !isFolder(policy.tests))
    problems.push({
      path: ['policy', 'tests'],
      message: `there is no folder \`${policy.tests}\`; name the one with the tests, or set \`policy.run_tests\` to \`false\``,
    });
  const url = config.store.postgres?.url.reveal();
  if (url !== undefined && url !== '' && !/^postgres(ql)?:\/\//.test(url))
    problems.push({
      path: ['store', 'postgres', 'url'],
      message: 'the secret is not a `postgres://` URL; store one such as `postgres://user:password@host:5432/castellan`',
    });
  return problems;
}

/** A policy comes from one place. Asked of the file as it was written: afterwards every default is in it. */
export function checkPolicySource(value: unknown): Problem[] {
  const policy = (value as { policy?: unknown } | null)?.policy;
  const has = (key: string): boolean => typeof policy === 'object' && policy !== null && Object.hasOwn(policy, key);
  if (!has('path') || !has('bundle')) return [];
  return [{ path: ['policy', 'bundle'], message: 'stands in the place of `policy.path`; remove one of them' }];
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
