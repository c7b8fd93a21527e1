package gateway.result_test

import data.fixture
import data.gateway

_judge(rules) := decision if {
	decision := gateway.result with input as fixture.result([])
		with data.rules as rules
		with data.enforcement as {"local/watched": "dry_run"}
}

test_silence_passes_the_result_on if {
	_judge({}) == {
		"version": 1,
		"effect": "allow",
		"reasons": [],
		"redactions": [],
		"approval": null,
		"labels": [],
		"limits": [],
		"dry_run": [],
	}
}

test_a_denial_withholds_and_labels_stay if {
	decision := _judge({"local": {"x": {"deny": {"no"}, "redact": {{"pointer": "/result/x"}}, "label": {"private"}}}})
	decision.effect == "deny"
	decision.redactions == []
	decision.labels == ["private"]
}

test_a_change_changes if {
	decision := _judge({"local": {"x": {"redact": {{"pointer": "/result/x", "as": "replace", "with": "…", "message": "changed"}}}}})
	decision.effect == "redact"
	decision.reasons == [{"rule": "local/x", "effect": "redact", "message": "changed"}]
	decision.redactions == [{"rule": "local/x", "pointer": "/result/x", "as": "replace", "with": "…"}]
}

test_a_watched_rule_is_reported if {
	decision := _judge({"local": {"watched": {"deny": {"no"}}}})
	decision.effect == "allow"
	decision.dry_run[0].rule == "local/watched"
}

test_a_used_up_limit_withholds_nothing if {
	decision := gateway.result with input as object.union(fixture.result([]), {"usage": {"limits": {"k": 9}}})
		with data.rules as {"local": {"x": {"limit": {{"key": "k", "max": 1, "per_s": 60}}}}}
	decision.effect == "allow"
}

# What makes it safe to leave the evaluation out where detectors found nothing: the shipped rules then have nothing to say.
test_the_shipped_rules_say_nothing_where_nothing_was_found if {
	decision := gateway.result with input as object.union(fixture.result([]), {
		"usage": {"calls_1m": 9999, "calls_1h": 9999, "same_call_1m": 9999},
		"arguments": {"path": "../private"},
		"session": {"labels": ["private"]},
	})
	decision.effect == "allow"
	decision.labels == []
}
