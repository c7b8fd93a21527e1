package rules.tools.suspicious_test

import data.fixture
import data.rules.tools.suspicious as rule

_with(detectors) := object.union(fixture.call, {"tool": {"findings": [{"detector": detector, "pointer": "/description", "count": 1} |
	some detector in detectors
]}})

test_a_clean_tool_passes if {
	count(rule.deny) == 0 with input as _with([])
	count(rule.deny) == 0 with input as fixture.call
}

test_a_finding_refuses_and_is_named if {
	some member in rule.deny with input as _with(["injection.conceal", "hidden.bidi"])
	member.message == "the definition of this tool is suspicious: hidden.bidi, injection.conceal"
	member.hint
}

test_a_notice_passes if {
	count(rule.deny) == 0 with input as _with(["shadow.same-name", "injection.before-tool"])
}

test_what_is_new_counts if count(rule.deny) == 1 with input as _with(["made.up"])

test_an_accepted_finding_passes_for_this_tool_only if {
	accepted := {"files": {"read_text_file": {"shadow.mention": true}}}
	count(rule.deny) == 0 with input as _with(["shadow.mention"]) with data.definitions.accepted as accepted
	count(rule.deny) == 1 with input as _with(["hidden.ansi"]) with data.definitions.accepted as accepted
	other := object.union(_with(["shadow.mention"]), {"tool": {"name": "write_file"}})
	count(rule.deny) == 1 with input as other with data.definitions.accepted as accepted
}

test_results_and_other_targets_are_not_its_business if {
	count(rule.deny) == 0 with input as object.union(_with(["hidden.ansi"]), {"phase": "result"})
	count(rule.deny) == 0 with input as object.union(_with(["hidden.ansi"]), {"target": {"kind": "prompt"}})
}

_item(detectors) := object.union(fixture.call, {
	"target": {"kind": "prompt", "server": "files", "name": "greet"},
	"item": {
		"kind": "prompt",
		"server": "files",
		"name": "greet",
		"findings": [{"detector": detector, "pointer": "/description", "count": 1} | some detector in detectors],
	},
})

test_a_suspicious_prompt_is_refused_and_the_finding_named if {
	some member in rule.deny with input as _item(["injection.conceal"])
	member.message == "what the server says of this prompt is suspicious: injection.conceal"
	member.hint
}

test_a_clean_prompt_and_a_notice_pass if {
	count(rule.deny) == 0 with input as _item([])
	count(rule.deny) == 0 with input as object.union(_item([]), {"item": {"findings": null}})
	count(rule.deny) == 0 with input as _item(["injection.before-tool"])
	count(rule.deny) == 0 with input as object.union(_item(["hidden.ansi"]), {"phase": "result"})
}

test_an_accepted_finding_passes_for_this_prompt_only if {
	accepted := {"files": {"greet": {"hidden.comment": true}}}
	count(rule.deny) == 0 with input as _item(["hidden.comment"]) with data.definitions.accepted_items as accepted
	count(rule.deny) == 1 with input as _item(["hidden.comment"]) with data.definitions.accepted as accepted
	other := object.union(_item(["hidden.comment"]), {"item": {"name": "other"}})
	count(rule.deny) == 1 with input as other with data.definitions.accepted_items as accepted
}
