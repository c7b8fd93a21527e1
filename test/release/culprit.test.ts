import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { RuleTimer } from '../../src/app/time-rule.ts';
import { Opa } from '../../src/rego/opa.ts';
import { CulpritSearch, type TimeRule } from '../../src/release/culprit.ts';
import { Workshop } from './workshop.ts';

const opa = new Opa();
after(() => opa.close());

const combined = `package gateway

call := {
	"version": 1, "effect": "allow", "reasons": [], "redactions": [], "approval": null, "labels": [], "limits": [], "dry_run": [],
} if not _denied

_denied if {
	some topic, rule
	some _ in data.rules[topic][rule].deny
}

result := call

message := call

list := {"version": 1, "visible": []}
`;
const loops = `package rules.billing.endless

deny contains "never" if {
	input.arguments.loop
	xs := numbers.range(1, 1000)
	some a in xs
	some b in xs
	some c in xs
	c < 0
	b < 0
	a < 0
}
`;

test('the rule behind a call that was cut off is named, behind the calls', async () => {
  const timer = new RuleTimer();
  const workshop = await Workshop.open(opa, {
    'policies/gateway/call.rego': combined,
    'policies/rules/access/quick.rego': 'package rules.access.quick\n\ndeny contains "no" if input.arguments.no\n',
    'policies/rules/billing/endless.rego': loops,
  });
  try {
    const manager = await workshop.manager({ timeRule: timer.time, test: undefined });
    const release = manager.current();
    assert.ok(release, manager.status().candidate?.error);
    const ask = async (input: string): Promise<string> => {
      const given = await release.engine.evaluate('gateway/call', input, 50);
      return given.ok ? given.answer.effect : given.fault;
    };
    assert.equal(await ask('{"arguments": {"loop": true}}'), 'timeout');
    const named = (): object[] => workshop.events.filter(({ kind }) => kind === 'culprit');
    for (let tries = 0; tries < 400 && named().length === 0; tries++) {
      assert.equal(await ask('{"arguments": {}}'), 'allow');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const message = 'policy took longer than 50 ms on `gateway/call` and was cut off';
    assert.deepEqual(named(), [{ kind: 'culprit', id: release.id, rule: 'billing/endless', fault: 'timeout', message }]);
  } finally {
    await workshop.close();
    await timer.close();
  }
});

test('a search names the rule with most of the time, one at a time, and says nothing where none stands out', async () => {
  const named: string[] = [];
  let times: Readonly<Record<string, number | 'over'>> = {};
  let asked = 0;
  let nowMs = 0;
  const time: TimeRule = ({ path }) => {
    asked++;
    return Promise.resolve(times[path] ?? 1);
  };
  const search = new CulpritSearch(
    time,
    () => nowMs,
    (rule) => named.push(rule),
  );
  const policy = { files: {}, packages: ['gateway', 'lib/x', 'rules/a/one', 'rules/a/one_test', 'rules/b/two'].map((path) => ({ path })) };
  const fault = { ok: false, fault: 'timeout', message: '', tookMs: 50 } as const;
  const run = async (next: typeof times): Promise<void> => {
    times = next;
    await search.search(policy, '{}', fault);
    nowMs += 60_000;
  };
  await run({ 'rules/b/two': 'over' });
  await run({ 'rules/a/one': 300 });
  await run({ 'rules/a/one': 5, 'rules/b/two': 5 });
  assert.deepEqual(named, ['b/two', 'a/one']);
  assert.equal(asked, 6);
  times = {};
  await Promise.all([search.search(policy, '{}', fault), search.search(policy, '{}', fault)]);
  await search.search(policy, '{}', fault);
  assert.equal(asked, 8);
});
