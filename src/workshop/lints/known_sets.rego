# METADATA
# title: The sets are ones that the gateway reads
# description: >-
#   A rule speaks through `allow`, `visible`, `deny`, `require_approval`, `redact`, `label`, `limit` and `mask`, each written
#   `name contains member`. A misspelt one is never asked for, and a rule in a package of another depth is not found.
# custom:
#   id: known-sets
#   cure: use one of allow, visible, deny, require_approval, redact, label, limit, mask; start the name of a private rule with `_`
package castellan.lints.known_sets

import data.castellan.syntax

about := rego.metadata.chain()

_names := object.keys(syntax.sets)

findings contains {
	"file": found.file,
	"row": at[0],
	"col": at[1],
	"message": $"`{found.name}` is no set that the gateway reads",
	"cure": $"write `{meant}`, or start the name of a private rule with `_`",
} if {
	some found in _public
	not found.name in _names
	meant := syntax.nearest(found.name, _names)
	_unreached(found)
	at := found.rule.head.at
}

findings contains {
	"file": found.file,
	"row": found.rule.head.at[0],
	"col": found.rule.head.at[1],
	"message": $"`{found.name}` is no set that the gateway reads",
} if {
	some found in _public
	not found.name in _names
	not syntax.nearest(found.name, _names)
	syntax.is_set(found.rule)
	_unreached(found)
}

# `deny := true` and `deny if …` have no members: nothing would be denied.
findings contains {
	"file": found.file,
	"row": found.rule.head.at[0],
	"col": found.rule.head.at[1],
	"message": $"`{found.name}` is not a set here, so it has no effect",
	"cure": $"write `{found.name} contains \"why\" if …`",
} if {
	some found in _public
	found.name in _names
	not syntax.is_set(found.rule)
}

findings contains {
	"file": found.file,
	"row": at[0],
	"col": at[1],
	"message": $"the gateway does not look for rules in `{found.package}`",
	"cure": "name the package `rules.<topic>.<rule>`",
} if {
	some found in syntax.rules
	syntax.path_of[found.file][0] == "rules"
	not found.file in syntax.rule_files
	found.name in _names
	at := input.modules[found.file].package.at
}

_public contains found if {
	some found in syntax.rules
	found.file in syntax.rule_files
	found.name != "about"
	not startswith(found.name, "_")
	not startswith(found.name, "test_")
	not found.rule.head.args
}

# What a rule that is asked for uses is a helper, whatever its name.
_unreached(found) if {
	some place in input.unreached
	place.file == found.file
	place.row == found.rule.head.at[0]
}
