import type { ArgumentBounds, Bound } from './argument-bounds.ts';
import type { Observed } from './observed-use.ts';

/** Cases of one table: more say nothing new, and a test file is to be read. */
const maxCases = 200;

/** Tests of the rule that grants: each kind of use that was observed, and what was not. Not formatted yet. */
export function accessTests({ usages }: Pick<Observed, 'usages'>): string {
  const used = usages.flatMap(({ kind, server, name, people }) => {
    const roles = new Map(
      [...people.values()].map(({ issuer, subject, groups }) => [
        groups.length > 0 ? JSON.stringify(groups) : subject,
        { issuer, subject, groups },
      ]),
    );
    return [...roles.values()].map(({ issuer, subject, groups }) => ({
      phase: 'call',
      // Of somebody with groups only these count; of somebody without, who it is.
      identity: groups.length > 0 ? { issuer: '', subject: '', groups } : { issuer, subject, groups },
      target: { kind, server, name },
    }));
  });
  const cases = Object.fromEntries(used.slice(0, maxCases).map((one, index) => [`${one.target.server} ${one.target.name} ${index}`, one]));
  return `package rules.observed.access_test

import data.rules.observed.access

used := ${JSON.stringify(cases)}

test_what_was_used_is_allowed[name] if {
	some name, case in used
	count(access.allow) > 0 with input as case
	count(access.deny) == 0 with input as case
}

test_another_name_is_refused[name] if {
	some name, case in used
	other := object.union(case, {"target": {"name": "never used by anybody"}})
	count(access.allow) == 0 with input as other
	count(access.deny) == 1 with input as other
}

test_another_server_is_refused[name] if {
	some name, case in used
	other := object.union(case, {"target": {"server": "never used by anybody"}})
	count(access.deny) == 1 with input as other
}

test_who_used_nothing_is_refused[name] if {
	some name, case in used
	other := object.union(case, {"identity": {"issuer": "never", "subject": "never", "groups": ["never used by anybody"]}})
	count(access.deny) == 1 with input as other
}

test_what_is_no_server_s_is_left_alone if {
	count(access.deny) == 0 with input as {"phase": "call", "identity": {"groups": []}, "target": {"kind": "protocol", "server": null, "name": "ping"}}
}
`;
}

/** Tests of the rule that bounds arguments. */
export function argumentsTests(bounds: ArgumentBounds): string {
  const all = Object.entries(bounds).flatMap(([server, tools]) =>
    Object.entries(tools).flatMap(([name, args]) =>
      Object.entries(args).map(([argument, bound]) => ({ server, name, argument, good: goodValue(bound), bad: badValues(bound) })),
    ),
  );
  const cases = Object.fromEntries(
    all
      .slice(0, maxCases)
      .map(({ server, name, argument, good, bad }) => [`${server} ${name} ${argument}`, { server, name, argument, good, bad }]),
  );
  return `package rules.observed.arguments_test

import data.rules.observed.arguments

bounded := ${JSON.stringify(cases)}

call(case, value) := {
	"phase": "call",
	"target": {"kind": "tool", "server": case.server, "name": case.name},
	"arguments": {case.argument: value},
}

test_what_was_used_passes[name] if {
	some name, case in bounded
	count(arguments.deny) == 0 with input as call(case, case.good)
}

test_another_value_is_refused[name] if {
	some name, case in bounded
	every value in case.bad {
		count(arguments.deny) == 1 with input as call(case, value)
	}
}

test_an_argument_that_is_left_out_passes if {
	count(arguments.deny) == 0 with input as {"phase": "call", "target": {"kind": "tool", "server": "any", "name": "any"}, "arguments": {}}
}
`;
}

function goodValue(bound: Bound): unknown {
  return 'one_of' in bound ? bound.one_of[0] : `${bound.begins}file`;
}

function badValues(bound: Bound): readonly unknown[] {
  return 'one_of' in bound ? ['never used by anybody'] : [`${bound.begins}../up`, `elsewhere/${bound.begins}file`, 42];
}
