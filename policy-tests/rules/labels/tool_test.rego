package rules.labels.tool_test

import data.fixture
import data.rules.labels.tool as rule

test_labels_that_data_keeps_pass_to_the_call if {
	rule.label == {"private", "untrusted"} with input as fixture.on("crm", "notes", {}, ["read", "private", "untrusted"])
}

test_other_labels_do_not if rule.label == set() with input as fixture.on("crm", "notes", {}, ["read", "egress"])

test_results_add_nothing if {
	rule.label == set() with input as object.union(fixture.on("crm", "notes", {}, ["private"]), {"phase": "result"})
}
