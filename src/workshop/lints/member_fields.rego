# METADATA
# title: Members have the fields that the gateway reads
# description: >-
#   A field with another name is not read, and an answer with it may be refused as a whole, which denies the call.
# custom:
#   id: member-fields
#   cure: see the table of sets in the README of the policies
package castellan.lints.member_fields

import data.castellan.syntax

about := rego.metadata.chain()

_ways := ["mask", "hash", "drop", "replace"]

_members contains {"file": found.file, "name": found.name, "object": part.object, "whole": part.whole} if {
	some found in syntax.rules
	found.file in syntax.rule_files
	syntax.sets[found.name]
	syntax.is_set(found.rule)
	some part in syntax.literals(found.rule.head.key)
}

findings contains {
	"file": member.file,
	"row": key.at[0],
	"col": key.at[1],
	"message": $"`{key.value}` is no field of `{member.name}`",
	"cure": _instead(key.value, known),
} if {
	some member in _members
	some [key, _] in member.object.value
	key.type == "string"
	known := syntax.sets[member.name].fields | {"message"}
	not key.value in known
}

findings contains {
	"file": member.file,
	"row": member.object.at[0],
	"col": member.object.at[1],
	"message": $"this member of `{member.name}` has no `{concat("` or `", needed)}`",
	"cure": $"add `{concat("` or `", needed)}`",
} if {
	some member in _members
	member.whole
	some needed in syntax.sets[member.name].needs
	every pair in member.object.value {
		pair[0].type == "string"
		not pair[0].value in needed
	}
}

findings contains {
	"file": member.file,
	"row": value.at[0],
	"col": value.at[1],
	"message": $"`{value.value}` is no way to redact",
	"cure": $"write one of: {concat(", ", _ways)}",
} if {
	some member in _members
	member.name in {"redact", "mask"}
	some [key, value] in member.object.value
	key.value == "as"
	value.type == "string"
	not value.value in _ways
}

_instead(name, known) := $"write `{meant}`" if {
	meant := syntax.nearest(name, known)
} else := $"its fields are: {concat(", ", sort(known))}"
