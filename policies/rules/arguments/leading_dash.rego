# METADATA
# title: No argument that reads as an option
# description: >-
#   A value that starts with a dash can turn into an option of the program behind the tool. Which arguments: `data.leading_dash.<server>`,
#   by name, or `*` for all of them.
# custom:
#   id: ARGUMENTS-002
#   severity: medium
#   owner: security
#   remediation: take the argument out of data.leading_dash where the server passes it to no program
package rules.arguments.leading_dash

about := rego.metadata.chain()

deny contains {
	"message": concat("", ["the argument `", name, "` starts with a dash"]),
	"hint": "put ./ before a name that starts with a dash",
} if {
	input.phase == "call"
	guarded := data.leading_dash[input.tool.server]
	some name, value in input.arguments
	_guards(guarded, name)
	_dashed(value)
}

_guards(guarded, name) if guarded[name] == true

_guards(guarded, _) if guarded["*"] == true

_dashed(value) if startswith(trim_space(value), "-")

_dashed(value) if {
	is_array(value)
	some item in value
	startswith(trim_space(item), "-")
}
