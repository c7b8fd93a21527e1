package rules.privacy.mask_results_test

import data.fixture
import data.rules.privacy.mask_results as rule

test_each_kind_is_masked if count(rule.redact) == 2 with input as fixture.result(["pii.email", "pii.iban", "secret.x"])

test_a_group_that_has_to_see_it_sees_it if {
	count(rule.redact) == 0 with input as fixture.result(["pii.email"]) with data.privacy.clear_for as ["engineering"]
}

test_another_group_does_not if {
	count(rule.redact) == 1 with input as fixture.result(["pii.email"]) with data.privacy.clear_for as ["support"]
}

test_arguments_are_not_its_business if count(rule.redact) == 0 with input as fixture.found(fixture.call, ["pii.email"])
