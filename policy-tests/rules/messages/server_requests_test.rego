package rules.messages.server_requests_test

import data.fixture
import data.rules.messages.server_requests as rule

test_a_server_that_may_ask_asks if {
	count(rule.allow) == 1 with input as fixture.message("elicitation", "everything", "elicitation/create")
}

test_what_data_does_not_name_is_not_allowed[kind] if {
	some kind in ["sampling", "task", "unknown"]
	count(rule.allow) == 0 with input as fixture.message(kind, "everything", "any")
}

test_another_server_may_not if {
	count(rule.allow) == 0 with input as fixture.message("elicitation", "files", "elicitation/create")
}

test_an_agent_cannot_send_it_unasked if {
	count(rule.allow) == 0 with input as fixture.about("elicitation", null, "elicitation/create", "elicitation/create")
}

test_an_agent_answers_what_the_server_may_ask if {
	count(rule.allow) == 1 with input as fixture.about("elicitation", "everything", "elicitation/create", "elicitation/create")
}

test_an_agent_does_not_answer_what_the_server_may_not_ask if {
	count(rule.allow) == 0 with input as fixture.about("sampling", "everything", "sampling/createMessage", "sampling/createMessage")
}
