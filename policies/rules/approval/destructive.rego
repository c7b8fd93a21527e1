# METADATA
# title: Destructive tools need approval
# description: >-
#   A tool that may destroy something, by our label or by the server's own word, runs after a human agreed. Groups, quorum and time are
#   those of `data.approval.destructive.<server>`, else those of `data.approval`.
# custom:
#   id: APPROVAL-001
#   severity: high
#   owner: security
#   remediation: label the tool write or read in the configuration where it destroys nothing
package rules.approval.destructive

import data.lib.tool

about := rego.metadata.chain()

require_approval contains object.union(
	{"message": "this tool can destroy or overwrite something"},
	object.get(data.approval.destructive, input.tool.server, {}),
) if {
	input.phase == "call"
	input.target.kind == "tool"
	tool.destructive
}
