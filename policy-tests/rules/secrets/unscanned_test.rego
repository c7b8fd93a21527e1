package rules.secrets.unscanned_test

import data.fixture
import data.rules.secrets.unscanned as rule

_echo := fixture.on("everything", "echo", {}, ["egress"])

_large := ["content.too_large"]

test_what_is_sent_out_unseen_is_refused if count(rule.deny) == 1 with input as fixture.found(_echo, _large)

test_what_stays_inside_goes_on if count(rule.deny) == 0 with input as fixture.found(fixture.call, _large)

test_a_result_that_was_not_seen_whole_is_withheld if {
	count(rule.deny) == 1 with input as object.union(fixture.found(fixture.call, _large), {"phase": "result"})
}

test_a_message_that_was_not_seen_whole_is_withheld if {
	count(rule.deny) == 1 with input as object.union(fixture.found(fixture.call, _large), {"phase": "message"})
}

test_data_lets_a_servers_results_through if {
	count(rule.deny) == 0 with input as object.union(fixture.found(fixture.call, _large), {"phase": "result"})
		with data.secrets.unscanned as {fixture.call.target.server: "pass"}
}

test_other_findings_are_not_its_business if count(rule.deny) == 0 with input as fixture.found(_echo, ["pii.email"])
