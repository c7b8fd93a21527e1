package gateway.call_test

import data.fixture
import data.gateway

# What the gateway makes of what rules say. `rules` stands in for the whole tree of rules.
_decide(rules, changes) := decision if {
	decision := gateway.call with input as object.union(fixture.call, changes)
		with data.rules as rules
		with data.guardrails as ["guard"]
		with data.enforcement as {"local/watched": "dry_run", "local/warned": "warn", "guard/watched": "dry_run", "local/odd": "dryrun"}
}

_allow := {"base": {"open": {"allow": {"it is open"}}}}

_with_allow(rules) := object.union(_allow, rules)

test_nothing_allows_by_default if {
	decision := _decide({}, {})
	decision.effect == "deny"
	[reason] := decision.reasons
	reason.rule == "gateway/default"
	reason.hint
}

test_allow_allows if {
	_decide(_allow, {}) == {
		"version": 1,
		"effect": "allow",
		"reasons": [{"rule": "base/open", "effect": "allow", "message": "it is open"}],
		"redactions": [],
		"approval": null,
		"labels": [],
		"limits": [],
		"dry_run": [],
	}
}

test_any_deny_denies if {
	decision := _decide(
		_with_allow({"local": {
			"no": {"deny": {{"message": "no", "hint": "try later"}}},
			"maybe": {"require_approval": {"ask"}, "redact": {{"pointer": "/arguments/x"}}, "label": {"private"}},
		}}),
		{},
	)
	decision.effect == "deny"
	decision.reasons == [{"rule": "local/no", "effect": "deny", "message": "no", "hint": "try later"}]
	decision.redactions == []
	decision.labels == []
	decision.approval == null
}

test_approval_comes_before_redaction_and_keeps_it if {
	decision := _decide(
		_with_allow({"local": {"maybe": {
			"require_approval": {"ask"},
			"redact": {{"pointer": "/arguments/x", "as": "drop", "message": "dropped"}},
			"label": {"private", {"name": "money"}},
		}}}),
		{},
	)
	decision.effect == "require_approval"
	decision.redactions == [{"rule": "local/maybe", "pointer": "/arguments/x", "as": "drop"}]
	decision.labels == ["money", "private"]
}

test_redaction_comes_before_allow_and_masks_where_nothing_is_said if {
	decision := _decide(_with_allow({"local": {"hide": {"redact": {{"detector": "pii.*"}}}}}), {})
	decision.effect == "redact"
	decision.redactions == [{"rule": "local/hide", "detector": "pii.*", "as": "mask"}]
}

test_neither_redaction_nor_approval_permits_by_itself[set] if {
	some set in ["redact", "require_approval"]
	_decide({"local": {"x": {set: {{"pointer": "/arguments/x", "message": "m"}}}}}, {}).effect == "deny"
}

test_a_given_approval_satisfies_the_rules_it_was_asked_for if {
	rules := _with_allow({"local": {"a": {"require_approval": {"ask"}}, "hide": {"redact": {{"pointer": "/arguments/x"}}}}})
	decision := _decide(rules, {"approval": _approval(["local/a"])})
	decision.effect == "redact"
	count(decision.redactions) == 1
}

test_a_given_approval_satisfies_no_other_rule if {
	rules := _with_allow({"local": {"a": {"require_approval": {"ask"}}, "b": {"require_approval": {"ask too"}}}})
	decision := _decide(rules, {"approval": _approval(["local/a"])})
	decision.effect == "require_approval"
	decision.approval.rules == ["local/b"]
}

test_an_approval_in_another_state_satisfies_nothing if {
	pending := object.union(_approval(["local/a"]), {"state": "pending"})
	_decide(_with_allow({"local": {"a": {"require_approval": {"ask"}}}}), {"approval": pending}).effect == "require_approval"
}

test_an_approval_does_not_outvote_a_denial if {
	rules := _with_allow({"local": {"a": {"require_approval": {"ask"}, "deny": {"no"}}}})
	_decide(rules, {"approval": _approval(["local/a"])}).effect == "deny"
}

_approval(rules) := {
	"id": "apr_1",
	"state": "approved",
	"rules": rules,
	"approved_by": ["u-2"],
	"approved_at": "2026-11-21T07:29:00.000Z",
}

test_terms_of_several_rules_merge_to_the_strictest if {
	decision := _decide(
		_with_allow({"local": {
			"a": {"require_approval": {{"message": "m", "groups": ["finance", "board"], "quorum": 1, "expires_s": 900, "allow_self": true}}},
			"b": {"require_approval": {{"message": "m", "groups": ["board", "legal"], "quorum": 2, "expires_s": 3600}}},
		}}),
		{},
	)
	decision.approval.groups == ["board"]
	decision.approval.quorum == 2
	decision.approval.expires_s == 900
	decision.approval.allow_self == false
	decision.approval.rules == ["local/a", "local/b"]
	{term.rule: term.groups | some term in decision.approval.terms} == {"local/a": ["finance", "board"], "local/b": ["board", "legal"]}
}

test_no_common_group_leaves_it_to_the_terms if {
	decision := _decide(
		_with_allow({"local": {
			"a": {"require_approval": {{"message": "m", "groups": ["finance"]}}},
			"b": {"require_approval": {{"message": "m", "groups": ["legal"]}}},
		}}),
		{},
	)
	decision.approval.groups == []
	count(decision.approval.terms) == 2
}

test_self_approval_needs_every_rule_to_say_so if {
	rules := _with_allow({"local": {"a": {"require_approval": {{"message": "m", "allow_self": true}}}}})
	_decide(rules, {}).approval.allow_self == true
}

test_terms_left_out_are_those_of_data if {
	decision := _decide(_with_allow({"local": {"a": {"require_approval": {"ask"}}}}), {}) with data.approval as {"groups": ["security"], "expires_s": 60}
	decision.approval.groups == ["security"]
	decision.approval.expires_s == 60
	decision.approval.quorum == 1
	decision.approval.allow_self == false
}

test_a_watched_rule_is_reported_and_not_enforced[set] if {
	some set in ["deny", "require_approval", "redact"]
	decision := _decide(_with_allow({"local": {"watched": {set: {{"message": "m", "pointer": "/arguments/x"}}}}}), {})
	decision.effect == "allow"
	decision.redactions == []
	[reported] := decision.dry_run
	reported.rule == "local/watched"
	reported.effect == set
	reported.enforcement == "dry_run"
}

test_a_watched_allow_permits_nothing if {
	decision := _decide({"local": {"watched": {"allow": {"yes"}}}}, {})
	decision.effect == "deny"
	[reported] := decision.dry_run
	reported.effect == "allow"
}

test_a_warning_is_told_apart if {
	_decide(_with_allow({"local": {"warned": {"deny": {"m"}}}}), {}).dry_run[0].enforcement == "warn"
}

test_watched_labels_and_limits_do_not_count if {
	decision := _decide(_with_allow({"local": {"watched": {"label": {"x"}, "limit": {{"key": "k", "max": 1, "per_s": 60}}}}}), {})
	decision.labels == []
	decision.limits == []
}

test_metadata_can_watch_a_rule_and_travels_with_it if {
	chain := [{"path": []}, {"path": [], "annotations": {"custom": {"enforcement": "dry_run", "severity": "high", "owner": "me", "id": "X-1"}}}]
	decision := _decide(_with_allow({"local": {"new": {"deny": {"m"}, "about": chain}}}), {})
	decision.effect == "allow"
	decision.dry_run == [{
		"rule": "local/new",
		"effect": "deny",
		"message": "m",
		"severity": "high",
		"owner": "me",
		"enforcement": "dry_run",
	}]
}

test_data_wins_over_metadata if {
	chain := [{"path": []}, {"path": [], "annotations": {"custom": {"enforcement": "dry_run"}}}]
	decision := gateway.call with input as fixture.call
		with data.rules as _with_allow({"local": {"new": {"deny": {"m"}, "about": chain}}})
		with data.enforcement as {"local/new": "enforce"}
	decision.effect == "deny"
}

test_a_guardrail_cannot_be_watched if _decide(_with_allow({"guard": {"watched": {"deny": {"m"}}}}), {}).effect == "deny"

test_a_misspelt_setting_enforces if _decide(_with_allow({"local": {"odd": {"deny": {"m"}}}}), {}).effect == "deny"

test_a_used_up_limit_denies if {
	rules := _with_allow({"local": {"count": {"limit": {{"key": "k", "max": 3, "per_s": 60, "hint": "wait"}}}}})
	_decide(rules, {"usage": {"limits": {"k": 2}}}).effect == "allow"
	decision := _decide(rules, {"usage": {"limits": {"k": 3}}})
	decision.effect == "deny"
	decision.reasons == [{"rule": "local/count", "effect": "deny", "message": "the limit of 3 calls in 60 s is used up", "hint": "wait"}]
}

test_a_limit_can_have_its_own_words if {
	rules := _with_allow({"local": {"count": {"limit": {{"key": "k", "max": 0, "per_s": 60, "message": "enough"}}}}})
	_decide(rules, {"usage": {"limits": {"k": 0}}}).reasons[0].message == "enough"
}

test_a_limit_travels_to_the_gateway if {
	rules := _with_allow({"local": {"count": {"limit": {{"key": "k", "max": 3, "per_s": 60, "hint": "wait"}}}}})
	_decide(rules, {}).limits == [{"rule": "local/count", "key": "k", "max": 3, "per_s": 60}]
}

test_a_malformed_denial_denies[member] if {
	some member in [{"mesage": "x"}, 1, true, null, ["x"], {"message": 5}]
	decision := _decide(_with_allow({"local": {"odd": {"deny": {member}}}}), {})
	decision.effect == "deny"
	decision.reasons[0].message == "the rule gave no message"
}

test_a_malformed_approval_still_asks[member] if {
	some member in [{}, 1, ["x"]]
	_decide(_with_allow({"local": {"odd": {"require_approval": {member}}}}), {}).approval.groups == ["security"]
}

# The gateway validates the answer and denies: what cannot be understood must not be left out.
test_what_cannot_be_understood_is_handed_on if {
	decision := _decide(_with_allow({"local": {"odd": {"redact": {"x"}, "label": {1}, "limit": {"y"}}}}), {})
	decision.redactions == [{"rule": "local/odd", "malformed": "x"}]
	decision.labels == [{"malformed": 1}]
	decision.limits == [{"rule": "local/odd", "malformed": "y"}]
}

test_messages_are_decided_alike if {
	decision := gateway.message with input as object.union(fixture.call, {"phase": "message"}) with data.rules as _allow
	decision.effect == "allow"
}
