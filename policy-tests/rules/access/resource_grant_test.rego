package rules.access.resource_grant_test

import data.fixture
import data.rules.access.resource_grant as rule

_grants := {"engineering": {"wiki": {"resources": ["wiki://public/"], "tools": {"*": true}}}}

_allowed(uri) if {
	count(rule.allow) == 1 with input as fixture.about("resource", "wiki", uri, "resources/read") with data.grants as _grants
}

test_a_uri_below_the_prefix_is_granted if _allowed("wiki://public/home")

test_a_uri_elsewhere_is_not_granted if not _allowed("wiki://hr/salaries")

test_a_uri_that_could_leave_the_prefix_is_not_granted[uri] if {
	some uri in ["wiki://public/../hr", "wiki://public/%2E%2e/hr", "wiki://public/%252e", "wiki://public/..\\hr", "wiki://public/a%2Fb"]
	not _allowed(uri)
}

test_a_group_without_the_grant_has_nothing if {
	count(rule.allow) == 0 with input as fixture.about("resource", "wiki", "wiki://public/home", "resources/read")
		with data.grants as _grants
		with input.identity.groups as ["support"]
}

test_a_tool_of_that_name_is_not_a_resource if {
	count(rule.allow) == 0 with input as fixture.on("wiki", "wiki://public/home", {}, []) with data.grants as _grants
}
