package rules.limits.loop_test

import data.fixture
import data.rules.limits.loop as rule

_repeated(times) := object.union(fixture.call, {"usage": {"same_call_1m": times}})

_limits := {"same_call_1m": 3, "exempt": {"everything": {"poll": true}}}

test_a_few_times_is_fine if count(rule.deny) == 0 with input as _repeated(2) with data.limits.loop as _limits

test_too_often_is_refused_with_a_hint if {
	some member in rule.deny with input as _repeated(3) with data.limits.loop as _limits
	member.hint
}

test_a_tool_that_is_polled_can_be_exempt if {
	count(rule.deny) == 0 with input as object.union(fixture.on("everything", "poll", {}, []), {"usage": {"same_call_1m": 50}})
		with data.limits.loop as _limits
}

test_pings_do_not_count if {
	count(rule.deny) == 0 with input as object.union(fixture.about("protocol", null, "ping", "ping"), {"usage": {"same_call_1m": 50}})
}

test_results_are_not_its_business if {
	count(rule.deny) == 0 with input as object.union(_repeated(50), {"phase": "result"})
}
