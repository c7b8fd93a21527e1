package rules.approval.destructive_test

import data.fixture
import data.rules.approval.destructive as rule

_asked(annotations, labels) if {
	count(rule.require_approval) == 1 with input as fixture.on("files", "write_file", annotations, labels)
}

test_our_label_asks if _asked({"readOnlyHint": true}, ["destructive"])

test_the_servers_own_word_asks if _asked({"destructiveHint": true}, [])

test_silence_asks if _asked({}, [])

test_a_label_that_says_nothing_about_effects_asks if _asked({}, ["private"])

test_a_tool_labelled_write_does_not_ask if not _asked({"destructiveHint": true}, ["write"])

test_a_tool_labelled_read_does_not_ask if not _asked({}, ["read"])

test_a_trusted_claim_does_not_ask[annotations] if {
	some annotations in [{"readOnlyHint": true}, {"destructiveHint": false}]
	not _asked(annotations, [])
}

test_a_claim_of_an_untrusted_server_asks if {
	count(rule.require_approval) == 1 with input as fixture.on("elsewhere", "x", {"readOnlyHint": true, "destructiveHint": false}, ["private"])
}

test_terms_of_the_server_travel if {
	some member in rule.require_approval with input as fixture.on("files", "write_file", {"destructiveHint": true}, [])
		with data.approval.destructive as {"files": {"groups": ["finance"], "quorum": 2}}
	member.groups == ["finance"]
	member.quorum == 2
}

test_only_calls_ask if {
	count(rule.require_approval) == 0 with input as object.union(fixture.on("files", "write_file", {}, []), {"phase": "result"})
}
