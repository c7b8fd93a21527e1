package rules.messages.url_questions_test

import data.fixture
import data.rules.messages.url_questions as rule

_sends(url) := object.union(
	fixture.message("elicitation", "everything", "elicitation/create"),
	{"arguments": {"mode": "url", "message": "Sign in", "url": url, "elicitationId": "e1"}},
)

_servers := {"everything": {"question_hosts": {"accounts.example.com": true}}}

test_a_known_host_passes if {
	count(rule.deny) == 0 with input as _sends("https://accounts.example.com/start?x=1") with data.servers as _servers
}

test_what_only_looks_like_it_is_refused[url] if {
	some url in [
		"http://accounts.example.com/start",
		"https://accounts.example.com@evil.example/",
		"https://accounts.example.com.evil.example/",
		"https://accounts.example.com:8443/",
		`https://accounts.example.com\@evil.example/`,
		"https://evil.example/?https://accounts.example.com/",
		"javascript:alert(1)",
		"",
	]
	count(rule.deny) == 1 with input as _sends(url) with data.servers as _servers
}

test_a_server_that_names_no_host_sends_nobody_anywhere if {
	count(rule.deny) == 1 with input as _sends("https://accounts.example.com/") with data.servers as {}
}

test_a_url_that_is_missing_is_refused if {
	asks := object.union(fixture.message("elicitation", "everything", "elicitation/create"), {"arguments": {"mode": "url"}})
	count(rule.deny) == 1 with input as asks with data.servers as _servers
}

test_a_form_is_not_its_business if {
	form := object.union(
		fixture.message("elicitation", "everything", "elicitation/create"),
		{"arguments": {"mode": "form", "message": "Which branch?"}},
	)
	count(rule.deny) == 0 with input as form with data.servers as _servers
}
