package rules.tools.undescribed_test

import data.fixture
import data.rules.tools.undescribed as rule

test_a_tool_of_a_trusted_server_passes if count(rule.deny) == 0 with input as fixture.call

test_a_labelled_tool_of_an_unknown_server_passes if {
	count(rule.deny) == 0 with input as fixture.on("elsewhere", "x", {}, ["read"])
}

test_an_unlabelled_tool_of_an_unknown_server_is_refused if {
	count(rule.deny) == 1 with input as fixture.on("elsewhere", "x", {"readOnlyHint": true}, [])
}

test_a_tool_without_facts_is_refused if {
	count(rule.deny) == 1 with input as object.remove(fixture.call, ["tool"])
}
