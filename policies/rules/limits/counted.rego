# METADATA
# title: Counted tools
# description: >-
#   How often one identity may use one tool, `data.limits.tools.<server>.<tool>`; at most `max` calls in `per_s` seconds.
# custom:
#   id: LIMITS-003
#   severity: medium
#   owner: platform
#   remediation: raise max in data.limits.tools
package rules.limits.counted

about := rego.metadata.chain()

limit contains {
	"key": concat("/", ["tool", input.tool.server, input.tool.name, input.identity.issuer, input.identity.subject]),
	"max": bound.max,
	"per_s": bound.per_s,
	"hint": "use another tool, or come back later",
} if {
	input.phase == "call"
	bound := data.limits.tools[input.tool.server][input.tool.name]
}
