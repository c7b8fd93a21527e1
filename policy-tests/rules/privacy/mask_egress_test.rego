package rules.privacy.mask_egress_test

import data.fixture
import data.rules.privacy.mask_egress as rule

_echo := fixture.on("everything", "echo", {}, ["egress"])

test_personal_data_is_masked_on_its_way_out if {
	rule.redact == {{"message": "personal data was masked", "detector": "pii.email", "as": "mask"}} with input as fixture.found(_echo, ["pii.email"])
}

test_inside_it_is_left_alone if count(rule.redact) == 0 with input as fixture.found(fixture.call, ["pii.email"])

test_results_are_not_its_business if {
	count(rule.redact) == 0 with input as object.union(fixture.found(_echo, ["pii.email"]), {"phase": "result"})
}
