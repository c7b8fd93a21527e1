import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ToolFacts } from '../../src/model/input.ts';
import type { ActiveRelease } from '../../src/model/ports.ts';
import { Opa } from '../../src/rego/opa.ts';
import { policy, Workshop } from './workshop.ts';

const opa = new Opa();
let workshop: Workshop;
let release: ActiveRelease;

const rules = `package rules.test.results

import data.limits

deny contains "withheld" if input.findings[_].detector == "secret.key"

deny contains "untrusted" if {
	"untrusted" in input.tool.labels
	contains(input.result.content[0].text, "ignore")
}

deny contains "night" if {
	input.tool.name == "night"
	time.clock(time.now_ns())[0] > limits.hour
}

redact contains {"pointer": "/result/content", "as": "mask"} if {
	input.tool.server == "crm"
	not "clerk" in input.identity.groups
}
`;

const matters = `
result_matters if some _ in data.rules[_][_].deny

result_matters if some _ in data.rules[_][_].redact
`;

before(async () => {
  workshop = await Workshop.open(opa, {
    'policies/gateway.rego': policy('one') + matters,
    'policies/rules.rego': rules,
    'policies/limits/data.json': '{"hour": 20}',
  });
  const current = (await workshop.manager()).current();
  assert.ok(current);
  release = current;
});
after(async () => {
  await workshop.close();
  await opa.close();
});

const tool = (server: string, name: string, labels: readonly string[] = []): ToolFacts => ({
  server,
  name,
  exposed_name: name,
  annotations: {},
  labels,
  definition_digest: 'sha256:0',
  pinned: true,
});

/** What is said of a tool once there was time to prove it. */
async function matter(facts: ToolFacts): Promise<boolean> {
  assert.ok(release.resultMatters);
  assert.equal(release.resultMatters(facts, false), true, 'before the proof every result is judged');
  for (let wait = 0; wait < 100 && release.resultMatters(facts, false); wait++) await sleep(10);
  return release.resultMatters(facts, false);
}

test('a tool that no rule can say anything about needs no judging, unless something was found in its result', async () => {
  const facts = tool('files', 'read');
  assert.equal(await matter(facts), false);
  assert.equal(release.resultMatters?.(facts, true), true);
});

test('a rule that depends on the result, the identity or the time keeps its tools judged', async () => {
  assert.equal(await matter(tool('files', 'read', ['untrusted'])), true);
  assert.equal(await matter(tool('crm', 'find')), true);
  assert.equal(await matter(tool('files', 'night')), true);
});

test('a release without the rule `result_matters` proves nothing', async () => {
  const plain = await Workshop.open(opa, { 'policies/gateway.rego': policy('one') });
  try {
    assert.equal((await plain.manager()).current()?.resultMatters, undefined);
  } finally {
    await plain.close();
  }
});
