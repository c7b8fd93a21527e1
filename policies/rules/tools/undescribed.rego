# METADATA
# title: Tools that nobody described are refused
# description: >-
#   Without a label of ours, and on a server whose annotations data does not trust, nothing is known about a tool. It is hidden and refused.
# custom:
#   id: TOOLS-002
#   severity: medium
#   owner: security
#   remediation: label the tool in the configuration, or set trust_annotations for its server in data.servers
package rules.tools.undescribed

import data.lib.tool

about := rego.metadata.chain()

deny contains {
	"message": "nobody has said what this tool does",
	"hint": "use another tool, or ask for the tool to be labelled",
} if {
	input.phase != "result"
	input.target.kind == "tool"
	not tool.described
}
