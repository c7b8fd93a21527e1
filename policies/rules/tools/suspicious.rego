# METADATA
# title: Tools, prompts and resources with a suspicious definition are refused
# description: >-
#   A definition with hidden text, instructions to the model, or another server's tool in it is not a description. Everything that the scan
#   finds counts, except what data lists as innocent, or accepts for one tool, prompt or resource after a look at it.
# custom:
#   id: TOOLS-003
#   severity: high
#   owner: security
#   remediation: read the definition with castellan catalogue; accept a finding under data.definitions.accepted or accepted_items, or remove the server
package rules.tools.suspicious

about := rego.metadata.chain()

deny contains {
	"message": $"the definition of this tool is suspicious: {concat(", ", sort(_findings))}",
	"hint": "use another tool, and tell whoever runs the gateway",
} if {
	input.phase != "result"
	input.target.kind == "tool"
	count(_findings) > 0
}

deny contains {
	"message": $"what the server says of this {input.item.kind} is suspicious: {concat(", ", sort(_item_findings))}",
	"hint": $"use another {input.item.kind}, and tell whoever runs the gateway",
} if {
	input.phase != "result"
	count(_item_findings) > 0
}

_findings contains finding.detector if {
	some finding in input.tool.findings
	not data.definitions.notices[finding.detector]
	not data.definitions.accepted[input.tool.server][input.tool.name][finding.detector]
}

_item_findings contains finding.detector if {
	some finding in input.item.findings
	not data.definitions.notices[finding.detector]
	not data.definitions.accepted_items[input.item.server][input.item.name][finding.detector]
}
