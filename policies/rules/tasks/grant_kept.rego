# METADATA
# title: Tasks of tools that may be called
# description: >-
#   A task is asked about, answered and ended by those who may call its tool now: who lost the grant since the task was begun does not get
#   what came of it.
# custom:
#   id: TASKS-001
#   severity: medium
#   owner: platform
#   remediation: grant the tool to a group of the caller in data.grants
package rules.tasks.grant_kept

about := rego.metadata.chain()

deny contains {
	"message": "the tool behind this task may not be called",
	"hint": "ask for a grant of the tool",
} if {
	input.phase == "call"
	input.target.kind == "task"
	input.tool.name
	not _may_call
}

_may_call if {
	some rule
	some _ in data.rules.access[rule].allow with input.target as object.union(input.target, {"kind": "tool"})
}
