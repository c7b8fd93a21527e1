package rules.access.tool_grant_test

import data.fixture
import data.rules.access.tool_grant as rule

_grants := {"support": {"memory": {"tools": {"read_graph": true, "delete_entities": false}, "tool_prefixes": ["search_"]}}}

_allowed(name, groups) if {
	count(rule.allow) == 1 with input as fixture.on("memory", name, {}, [])
		with input.identity.groups as groups
		with data.grants as _grants
}

test_a_named_tool_is_granted if _allowed("read_graph", ["support"])

test_a_tool_with_a_granted_prefix_is_granted if _allowed("search_nodes", ["support"])

test_one_group_of_several_suffices if _allowed("read_graph", ["interns", "support"])

test_a_tool_set_to_false_is_not_granted if not _allowed("delete_entities", ["support"])

test_another_tool_is_not_granted if not _allowed("create_entities", ["support"])

test_another_group_has_nothing if not _allowed("read_graph", ["interns"])

test_no_group_has_nothing if not _allowed("read_graph", [])

test_a_star_grants_all_tools_of_the_server if {
	count(rule.allow) == 1 with input as fixture.on("memory", "anything", {}, []) with data.grants as {"engineering": {"memory": {"tools": {"*": true}}}}
}

test_a_grant_on_one_server_is_none_on_another if {
	count(rule.allow) == 0 with input as fixture.on("files", "read_graph", {}, []) with data.grants as {"engineering": {"memory": {"tools": {"*": true}}}}
}

test_a_tool_grant_is_no_grant_of_resources if {
	count(rule.allow) == 0 with input as fixture.about("resource", "everything", "demo://x", "resources/read")
}
