# METADATA
# title: Anyone may read
# description: >-
#   A tool that only reads is open to everyone on servers that data marks `read_only_for: anyone`. Everything else needs a grant.
# custom:
#   id: ACCESS-001
#   severity: low
#   owner: platform
#   remediation: set read_only_for to granted in data.servers, and grant tools by group
package rules.access.read_only

import data.lib.tool

about := rego.metadata.chain()

allow contains "it only reads, and the server is open for reading" if {
	data.servers[input.tool.server].read_only_for == "anyone"
	input.target.kind == "tool"
	tool.read_only
}
