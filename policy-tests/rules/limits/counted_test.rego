package rules.limits.counted_test

import data.fixture
import data.rules.limits.counted as rule

_research := fixture.on("everything", "trigger-long-running-operation", {"readOnlyHint": true}, [])

test_a_counted_tool_names_its_limit if {
	rule.limit == {{
		"key": "tool/everything/trigger-long-running-operation/https://idp.example/u-17",
		"max": 10,
		"per_s": 3600,
		"hint": "use another tool, or come back later",
	}} with input as _research
}

test_each_identity_has_its_own_count if {
	some one in rule.limit with input as _research
	some other in rule.limit with input as _research with input.identity.subject as "u-18"
	one.key != other.key
}

test_other_tools_are_not_counted if count(rule.limit) == 0 with input as fixture.call
