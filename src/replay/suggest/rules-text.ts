/** The rule that grants what was used, and refuses what nobody used. Its data is `data.observed`. */
export const accessRule = `# METADATA
# title: What was used
# description: >-
#   Allows what the groups of the caller, or a caller without groups, used while the traffic was observed, and refuses every other tool,
#   prompt and resource. The grants are \`data.observed.groups.<group>.<server>\` and \`data.observed.subjects.<issuer>.<subject>.<server>\`.
# custom:
#   id: OBSERVED-001
#   severity: medium
#   owner: platform
#   remediation: add what is needed to a group of the caller in data.observed.groups
package rules.observed.access

about := rego.metadata.chain()

allow contains "used in the observed traffic" if _granted

deny contains {
	"message": "nobody of your groups used this while the policy was learned",
	"hint": "use a tool that is listed for you, or ask for a grant",
} if {
	input.phase in {"call", "list"}
	input.target.kind in {"tool", "prompt", "resource"}
	is_string(input.target.server)
	not _granted
}

_granted if {
	some group in input.identity.groups
	_covers(data.observed.groups[group][input.target.server])
}

_granted if _covers(data.observed.subjects[input.identity.issuer][input.identity.subject][input.target.server])

_covers(grants) if {
	input.target.kind == "tool"
	grants.tools[input.target.name] == true
}

_covers(grants) if {
	input.target.kind == "prompt"
	grants.prompts[input.target.name] == true
}

_covers(grants) if {
	input.target.kind == "resource"
	input.target.name in grants.resources
}

# What ends with a slash is a folder, or a scheme.
_covers(grants) if {
	input.target.kind == "resource"
	some folder in grants.resources
	endswith(folder, "/")
	startswith(input.target.name, folder)
	not contains(input.target.name, "..")
	not contains(input.target.name, "%")
}
`;

/** The rule that holds arguments to what was observed. Its data is `data.observed.arguments`. */
export const argumentsRule = `# METADATA
# title: Arguments as they were
# description: >-
#   Where an argument of a tool had few values, or lay in one folder, it stays so: \`data.observed.arguments.<server>.<tool>.<argument>\`, either
#   \`one_of\` or \`begins\`. An argument that is left out is not refused.
# custom:
#   id: OBSERVED-002
#   severity: medium
#   owner: platform
#   remediation: add the value to data.observed.arguments
package rules.observed.arguments

about := rego.metadata.chain()

deny contains {
	"message": concat("", ["the argument \`", name, "\` is none of those that were used while the policy was learned"]),
	"hint": "use a value that is open to you, or ask for this one",
} if {
	input.phase == "call"
	input.target.kind == "tool"
	some name, bound in data.observed.arguments[input.target.server][input.target.name]
	value := input.arguments[name]
	not _within(value, bound)
}

_within(value, bound) if value in bound.one_of

_within(value, bound) if {
	startswith(value, bound.begins)
	not _climbs(value)
}

# Written so that a server could read it as another place.
_climbs(value) if {
	some trick in ["..", "%", "\\\\", "\\u0000"]
	contains(value, trick)
}
`;
