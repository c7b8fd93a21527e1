# METADATA
# title: Unpinned tools are refused
# description: A tool whose definition is not the one that was reviewed may say or do something new. It is hidden and refused.
# custom:
#   id: TOOLS-001
#   severity: high
#   owner: security
#   remediation: review the new definition and pin it
package rules.tools.unpinned

about := rego.metadata.chain()

deny contains {
	"message": "the definition of this tool has not been reviewed",
	"hint": "use another tool, or ask for the tool to be reviewed",
} if {
	input.phase != "result"
	input.target.kind == "tool"
	not input.tool.pinned == true
}
