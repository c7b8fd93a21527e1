package gateway.list_test

import data.fixture
import data.gateway

_tool(server, name, annotations, labels) := fixture.on(server, name, annotations, labels).tool

_listing(tools) := object.union(object.remove(fixture.call, ["tool", "arguments"]), {
	"phase": "list",
	"request": {"method": "tools/list"},
	"target": {"kind": "protocol", "server": null, "name": "tools/list"},
	"tools": tools,
})

_items(items) := object.union(object.remove(_listing([]), ["tools"]), {"items": items})

_catalogue := [
	_tool("files", "read_text_file", {"readOnlyHint": true}, []),
	_tool("files", "write_file", {"destructiveHint": true}, []),
	_tool("memory", "read_graph", {"readOnlyHint": true}, []),
	_tool("memory", "delete_entities", {"destructiveHint": true}, []),
	_tool("elsewhere", "anything", {"readOnlyHint": true}, []),
]

_seen(groups) := list.visible if {
	list := gateway.list with input as object.union(_listing(_catalogue), {"identity": {"groups": groups}})
}

test_each_group_sees_its_own if {
	_seen(["engineering"]) == ["delete_entities", "read_graph", "read_text_file", "write_file"]
	_seen(["support"]) == ["read_graph", "read_text_file"]
	_seen([]) == ["read_text_file"]
}

test_unpinned_tools_are_hidden if {
	list := gateway.list with input as _listing([object.union(_catalogue[0], {"pinned": false})])
	list == {"version": 1, "visible": []}
}

test_the_exposed_name_is_shown if {
	list := gateway.list with input as _listing([object.union(_catalogue[0], {"exposed_name": "files_read"})])
	list.visible == ["files_read"]
}

test_what_depends_on_arguments_or_history_hides_nothing if {
	busy := object.union(_listing([_catalogue[0]]), {
		"session": {"labels": ["private"]},
		"usage": {"calls_1m": 9999, "calls_1h": 9999, "same_call_1m": 9999},
	})
	list := gateway.list with input as busy
		with data.sql as {"files": {"read_text_file": "path"}}
		with data.leading_dash as {"files": {"*": true}}
	list.visible == ["read_text_file"]
}

_show(rules, enforcement) := list.visible if {
	list := gateway.list with input as _listing([_catalogue[0]]) with data.rules as rules with data.enforcement as enforcement
}

test_a_flat_denial_hides if _show({"a": {"b": {"allow": {"yes"}, "deny": {"no"}}}}, {}) == []

test_an_allow_that_needs_arguments_can_say_visible if _show({"a": {"b": {"visible": {"for some arguments"}}}}, {}) == ["read_text_file"]

test_a_watched_denial_does_not_hide if {
	_show({"a": {"b": {"allow": {"yes"}}, "c": {"deny": {"no"}}}}, {"a/c": "dry_run"}) == ["read_text_file"]
}

test_a_watched_allow_does_not_show if _show({"a": {"b": {"allow": {"yes"}}}}, {"a/b": "dry_run"}) == []

test_a_rule_watched_by_metadata_does_not_hide if {
	chain := [{}, {"annotations": {"custom": {"enforcement": "dry_run"}}}]
	_show({"a": {"b": {"allow": {"yes"}}, "c": {"deny": {"no"}, "about": chain}}}, {}) == ["read_text_file"]
}

test_prompts_are_listed_by_grant if {
	prompts := [
		{"kind": "prompt", "server": "everything", "name": "simple-prompt"},
		{"kind": "prompt", "server": "everything", "name": "args-prompt"},
	]
	list := gateway.list with input as _items(prompts) with input.identity.groups as ["support"]
	list.visible == ["simple-prompt"]
}

test_resources_are_listed_by_grant if {
	resources := [
		{"kind": "resource", "server": "everything", "name": "demo://resource/static/1"},
		{"kind": "resource", "server": "everything", "name": "file:///etc/passwd"},
	]
	list := gateway.list with input as _items(resources)
	list.visible == ["demo://resource/static/1"]
}

test_a_name_that_two_servers_share_shows_only_if_both_may_be_used if {
	shared := [
		{"kind": "prompt", "server": "everything", "name": "summary"},
		{"kind": "prompt", "server": "files", "name": "summary"},
	]
	list := gateway.list with input as _items(shared)
	list.visible == []
}

test_a_prompt_is_judged_by_its_name_and_listed_under_the_one_that_agents_know if {
	prompts := [
		{"kind": "prompt", "server": "everything", "name": "simple-prompt", "exposed_name": "everything_simple-prompt"},
		{"kind": "prompt", "server": "files", "name": "simple-prompt", "exposed_name": "files_simple-prompt"},
	]
	list := gateway.list with input as _items(prompts) with input.identity.groups as ["support"]
	list.visible == ["everything_simple-prompt"]
}
