package rules.tasks.grant_kept_test

import data.fixture
import data.rules.tasks.grant_kept as rule

_asks(name) := object.union(fixture.on("memory", name, {}, []), {
	"request": {"method": "tasks/get"},
	"target": {"kind": "task"},
	"arguments": {"taskId": "t1"},
})

_grants := {"engineering": {"memory": {"tools": {"read_graph": true}}}}

test_a_task_of_a_granted_tool_is_asked_about if {
	count(rule.deny) == 0 with input as _asks("read_graph") with data.grants as _grants
}

test_a_task_of_a_tool_that_is_not_granted_any_more_is_not if {
	count(rule.deny) == 1 with input as _asks("delete_entities") with data.grants as _grants
}

test_a_list_of_tasks_is_not_its_business if {
	count(rule.deny) == 0 with input as fixture.about("task", null, "tasks/list", "tasks/list")
}

test_a_call_of_the_tool_is_not_its_business if {
	count(rule.deny) == 0 with input as fixture.on("memory", "delete_entities", {}, []) with data.grants as {}
}
