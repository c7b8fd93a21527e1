# METADATA
# title: Tools by grant
# description: >-
#   A group may use the tools that `data.grants.<group>.<server>` names, in `tools` (a name, or `*` for all) or in `tool_prefixes`.
# custom:
#   id: ACCESS-002
#   severity: medium
#   owner: platform
#   remediation: add the tool to a group of the caller in data.grants
package rules.access.tool_grant

import data.lib.grants

about := rego.metadata.chain()

allow contains "granted to a group of the caller" if {
	input.target.kind == "tool"
	some grant in grants.here
	_covers(grant, input.target.name)
}

_covers(grant, name) if grant.tools[name] == true

_covers(grant, _) if grant.tools["*"] == true

_covers(grant, name) if {
	some prefix in grant.tool_prefixes
	startswith(name, prefix)
}
