# METADATA
# title: What was read in private is not sent out
# description: >-
#   After a call that carries a label of `data.flow.blocked_after.<tool label>`, tools with that tool label are refused: once something
#   private was read, nothing is sent out. The history is the identity's, so a new session does not wash it off.
# custom:
#   id: FLOW-001
#   severity: critical
#   owner: security
#   remediation: let a person send it, or start again without reading private data
package rules.flow.private_then_egress

about := rego.metadata.chain()

deny contains {
	"message": concat("", ["data labelled `", label, "` was read before; this tool could send it out"]),
	"hint": "ask a person to send it; other tools still work",
} if {
	input.phase == "call"
	some tool_label in input.tool.labels
	some label in data.flow.blocked_after[tool_label]
	label in input.session.labels
}
