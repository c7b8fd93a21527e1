package rules.secrets.redact_test

import data.fixture
import data.rules.secrets.redact as rule

_masked := {"message": "a secret was taken out", "detector": "secret.aws-access-key", "as": "mask"}

test_a_secret_in_a_result_is_masked if {
	rule.redact == {_masked} with input as fixture.result(["secret.aws-access-key", "pii.email"])
}

test_a_secret_in_arguments_is_masked if {
	rule.redact == {_masked} with input as fixture.found(fixture.call, ["secret.aws-access-key"])
}

test_a_secret_in_a_message_is_masked if {
	message := fixture.message("notification", "files", "notifications/message")
	rule.redact == {_masked} with input as fixture.found(message, ["secret.aws-access-key"])
}

test_nothing_found_changes_nothing if count(rule.redact) == 0 with input as fixture.result([])
