# METADATA
# title: Prompts and completion by grant
# description: A group may use the prompts that `data.grants.<group>.<server>.prompts` names, and completion where it says `completion`.
# custom:
#   id: ACCESS-004
#   severity: low
#   owner: platform
#   remediation: add the prompt, or completion, to a group of the caller in data.grants
package rules.access.prompt_grant

import data.lib.grants

about := rego.metadata.chain()

allow contains "granted to a group of the caller" if {
	input.target.kind == "prompt"
	some grant in grants.here
	_covers(grant, input.target.name)
}

allow contains "completion is granted to a group of the caller" if {
	input.target.kind == "completion"
	some grant in grants.here
	grant.completion == true
}

_covers(grant, name) if grant.prompts[name] == true

_covers(grant, _) if grant.prompts["*"] == true
