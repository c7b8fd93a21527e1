package rules.tools.unpinned_test

import data.fixture
import data.rules.tools.unpinned as rule

test_a_pinned_tool_passes if count(rule.deny) == 0 with input as fixture.call

test_an_unpinned_tool_is_refused_with_a_hint if {
	some member in rule.deny with input as fixture.call with input.tool.pinned as false
	member.hint
}

test_a_tool_without_facts_is_refused if {
	count(rule.deny) == 1 with input as object.remove(fixture.call, ["tool"])
}

test_other_targets_are_not_its_business if {
	count(rule.deny) == 0 with input as fixture.about("prompt", "everything", "simple-prompt", "prompts/get")
}
