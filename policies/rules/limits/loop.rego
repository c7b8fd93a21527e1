# METADATA
# title: The same call again and again
# description: An agent that repeats one call with the same arguments is stuck. `data.limits.loop` has the number and the exempt tools.
# custom:
#   id: LIMITS-001
#   severity: medium
#   owner: platform
#   remediation: raise data.limits.loop.same_call_1m, or exempt a tool that is meant to be polled
package rules.limits.loop

about := rego.metadata.chain()

deny contains {
	"message": "the same call was just made too many times",
	"hint": "its answer will not change; use what you have, or change the arguments",
} if {
	input.phase == "call"
	input.usage.same_call_1m >= data.limits.loop.same_call_1m
	input.target.kind == "tool"
	not data.limits.loop.exempt[input.tool.server][input.tool.name]
}
