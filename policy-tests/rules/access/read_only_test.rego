package rules.access.read_only_test

import data.fixture
import data.rules.access.read_only as rule

test_a_tool_labelled_read_is_open_to_everyone if {
	count(rule.allow) == 1 with input as fixture.on("files", "peek", {}, ["read"])
}

test_the_read_only_claim_of_a_trusted_server_is_believed if {
	count(rule.allow) == 1 with input as fixture.call
}

test_the_read_only_claim_of_an_unpinned_definition_is_not_believed if {
	count(rule.allow) == 0 with input as fixture.call with input.tool.pinned as false
}

test_the_read_only_claim_of_an_untrusted_server_is_not_believed if {
	count(rule.allow) == 0 with input as fixture.call
		with data.servers as {"files": {"read_only_for": "anyone", "trust_annotations": false}}
}

test_our_label_wins_over_the_claim[label] if {
	some label in ["write", "destructive", "egress"]
	count(rule.allow) == 0 with input as fixture.on("files", "x", {"readOnlyHint": true}, [label])
}

test_reading_needs_a_grant_where_data_says_so if {
	count(rule.allow) == 0 with input as fixture.on("memory", "read_graph", {"readOnlyHint": true}, ["read"])
}

test_an_unknown_server_is_not_open if {
	count(rule.allow) == 0 with input as fixture.on("elsewhere", "read", {"readOnlyHint": true}, ["read"])
}
