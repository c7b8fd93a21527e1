package rules.flow.private_then_egress_test

import data.fixture
import data.rules.flow.private_then_egress as rule

_echo := fixture.on("everything", "echo", {}, ["egress"])

# What the gateway sends: the labels of the identity's history, whichever session they are from, are the labels of the session.
_earlier(labels, same_session) := object.union(_echo, {"session": {"labels": labels}, "history": [{
	"at": "2026-11-21T07:29:00.000Z",
	"method": "tools/call",
	"server": "files",
	"tool": "read_text_file",
	"effect": "allow",
	"outcome": "ok",
	"labels": labels,
	"arguments_digest": "sha256:0",
	"same_session": same_session,
}]})

test_sending_before_reading_passes if count(rule.deny) == 0 with input as _echo

test_sending_after_reading_something_public_passes if count(rule.deny) == 0 with input as _earlier([], true)

test_sending_after_reading_something_private_is_refused_with_a_hint if {
	some member in rule.deny with input as _earlier(["private"], true)
	member.message == "data labelled `private` was read before; this tool could send it out"
	member.hint
}

test_a_new_session_does_not_wash_it_off if count(rule.deny) == 1 with input as _earlier(["private"], false)

test_the_sessions_own_labels_count_when_history_is_cut_off if {
	count(rule.deny) == 1 with input as _echo with input.session.labels as ["private"]
}

test_tools_that_keep_data_inside_still_work if {
	count(rule.deny) == 0 with input as fixture.call with input.session.labels as ["private"]
}

test_which_labels_block_which_tools_is_data if {
	count(rule.deny) == 0 with input as _echo with input.session.labels as ["private"] with data.flow.blocked_after as {"egress": ["untrusted"]}
}

test_lists_do_not_change_with_history if {
	count(rule.deny) == 0 with input as object.union(_earlier(["private"], true), {"phase": "list"})
}
