package rules.secrets.egress_test

import data.fixture
import data.rules.secrets.egress as rule

_echo := fixture.on("everything", "echo", {}, ["egress"])

test_a_secret_is_not_sent_out if count(rule.deny) == 1 with input as fixture.found(_echo, ["secret.aws-access-key"])

test_other_findings_are_not_its_business if count(rule.deny) == 0 with input as fixture.found(_echo, ["pii.email", "secretary"])

test_a_tool_that_keeps_data_inside_is_not_its_business if {
	count(rule.deny) == 0 with input as fixture.found(fixture.call, ["secret.aws-access-key"])
}

test_the_result_of_an_egress_tool_is_not_withheld if {
	count(rule.deny) == 0 with input as object.union(fixture.found(_echo, ["secret.aws-access-key"]), {"phase": "result"})
}
