# METADATA
# title: No growing replace
# description: >-
#   Whoever chooses the text chooses how much longer the copy gets: the limits on the input do not bound it, and each `replace` multiplies
#   what the one before it made. Time and memory of the evaluation grow with it.
# custom:
#   id: growing-replace
#   cure: leave the change to a `redact` rule, or put something in its place that is no longer than what it replaces
package castellan.lints.growing_replace

import data.castellan.syntax

about := rego.metadata.chain()

findings contains {
	"file": call.file,
	"row": call.at[0],
	"col": call.at[1],
	"message": $"`{call.name}` on text from outside can make it longer",
} if {
	some call in syntax.calls
	some [text, old, new] in _replacements(call)
	_grows(old, new)
	not _ours(text, call)
}

_replacements(call) := [[call.args[0], call.args[1], call.args[2]]] if {
	call.name == "replace"
} else := [[call.args[1], old, new] | some [old, new] in call.args[0].value] if {
	call.name == "strings.replace_n"
	call.args[0].type == "object"
} else := [[call.args[1], call.args[0], call.args[0]]] if {
	call.name == "strings.replace_n"
}

_grows(old, new) if count(new.value) > count(old.value)

_grows(old, _) if old.type != "string"

_grows(_, new) if new.type != "string"

# What nobody outside chooses: a constant, data, or what the gateway itself says.
_ours(text, _) if text.type == "string"

_ours(text, _) if {
	text.type == "ref"
	text.value[0].value == "data"
}

_ours(text, _) if {
	text.type == "ref"
	text.value[0].value == "input"
	text.value[1].value in {"at", "phase", "environment", "identity"}
}

# A variable that the rule took from such a place.
_ours(text, call) if {
	text.type == "var"
	some expr in input.modules[call.file].rules[call.index].body
	expr.terms[0].value[0].value in {"assign", "eq"}
	expr.terms[1].type == "var"
	expr.terms[1].value == text.value
	some root in ["data", "input"]
	expr.terms[2].type == "ref"
	expr.terms[2].value[0].value == root
	_ours_below(expr.terms[2])
}

_ours_below(ref) if ref.value[0].value == "data"

_ours_below(ref) if ref.value[1].value in {"at", "phase", "environment", "identity"}
