package rules.links.known_places_test

import data.fixture
import data.rules.links.known_places as rule

_gives(content) := object.union(
	fixture.on("everything", "get-resource-links", {}, []),
	{"phase": "result", "result": {"content": content}},
)

_links := {"everything": ["demo://resource/"]}

test_a_link_to_a_known_place_passes if {
	count(rule.deny) == 0 with input as _gives([{"type": "resource_link", "uri": "demo://resource/1", "name": "one"}])
		with data.links as _links
}

test_a_link_to_elsewhere_withholds_the_result if {
	count(rule.deny) == 1 with input as _gives([
		{"type": "text", "text": "see"},
		{"type": "resource_link", "uri": "file:///etc/passwd", "name": "one"},
	])
		with data.links as _links
}

test_a_whole_resource_counts_by_its_uri if {
	count(rule.deny) == 1 with input as _gives([{"type": "resource", "resource": {"uri": "file:///etc/passwd", "text": "root"}}])
		with data.links as _links
}

test_a_result_without_links_passes if {
	count(rule.deny) == 0 with input as _gives([{"type": "text", "text": "file:///etc/passwd"}]) with data.links as _links
}

test_other_servers_are_not_looked_at if {
	count(rule.deny) == 0 with input as _gives([{"type": "resource_link", "uri": "file:///etc/passwd", "name": "one"}])
		with data.links as {}
}
