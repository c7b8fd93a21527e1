package rules.protocol.housekeeping_test

import data.fixture
import data.rules.protocol.housekeeping as rule

test_a_session_can_start_and_live[method] if {
	some method in ["initialize", "ping", "tools/list", "notifications/initialized", "notifications/cancelled", "logging/setLevel"]
	count(rule.allow) == 1 with input as fixture.about("protocol", null, method, method)
}

test_methods_that_touch_data_need_more[method] if {
	some method in ["tools/call", "resources/read", "prompts/get", "completion/complete", "sampling/createMessage", "x/unknown"]
	count(rule.allow) == 0 with input as fixture.about("unknown", "files", method, method)
}

test_a_server_may_notify[method] if {
	some method in ["notifications/message", "notifications/progress", "notifications/tools/list_changed", "notifications/resources/updated"]
	count(rule.allow) == 1 with input as fixture.message("notification", "files", method)
}

test_what_an_agent_may_send_a_server_may_not if {
	count(rule.allow) == 0 with input as fixture.message("protocol", "files", "tools/list")
}
