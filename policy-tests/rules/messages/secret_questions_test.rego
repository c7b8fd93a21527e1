package rules.messages.secret_questions_test

import data.fixture
import data.rules.messages.secret_questions as rule

_asks(arguments) := object.union(fixture.message("elicitation", "everything", "elicitation/create"), {"arguments": arguments})

test_a_harmless_question_passes if {
	count(rule.deny) == 0 with input as _asks({"message": "Which branch?", "requestedSchema": {"type": "object", "properties": {"branch": {"type": "string"}}}})
}

test_a_question_for_a_password_is_refused if count(rule.deny) == 1 with input as _asks({"message": "Your Password, please"})

test_a_form_field_for_a_key_is_refused if {
	count(rule.deny) > 0 with input as _asks({"message": "Sign in", "requestedSchema": {"type": "object", "properties": {"api_key": {"type": "string"}}}})
}

test_other_messages_are_not_its_business if {
	count(rule.deny) == 0 with input as object.union(fixture.message("notification", "everything", "notifications/message"), {"arguments": {"message": "password"}})
}
