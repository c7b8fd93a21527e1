# METADATA
# title: Resources by grant
# description: A group may read and follow the resources whose URI starts with an entry of `data.grants.<group>.<server>.resources`.
# custom:
#   id: ACCESS-003
#   severity: medium
#   owner: platform
#   remediation: add the start of the URI to a group of the caller in data.grants
package rules.access.resource_grant

import data.lib.grants

about := rego.metadata.chain()

allow contains "granted to a group of the caller" if {
	input.target.kind == "resource"
	some grant in grants.here
	some prefix in grant.resources
	startswith(input.target.name, prefix)
	not _climbs
}

# The prefix must hold after the server has resolved the URI, so one that could still move is not covered by it.
_climbs if {
	lowered := lower(input.target.name)
	some trick in ["..", "%2e", "%2f", "%5c", "%25", "\\"]
	contains(lowered, trick)
}
