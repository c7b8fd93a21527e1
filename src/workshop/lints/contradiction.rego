# METADATA
# title: Conditions that cannot hold together
# description: >-
#   Over a conjunction of expressions, of a rule's body or of what partial evaluation left of a rule. Only what is certain is said: two
#   different constants for one reference, a constant outside the values that the input can have, bounds that leave nothing between them.
package castellan.contradiction

import data.castellan.syntax

_operators := {
	"eq": "=",
	"assign": "=",
	"equal": "=",
	"neq": "!=",
	"gt": ">",
	"gte": ">=",
	"lt": "<",
	"lte": "<=",
	"internal.member_2": "in",
	"startswith": "startswith",
}

_mirrored := {"=": "=", "!=": "!=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}

# METADATA
# title: Why a conjunction can never hold
# description: "Texts with the place of the expression, where the tree has places. `more` are facts known beside the expressions."
reasons(exprs, more) := {reason |
	known := (_facts(exprs) | more) | _enumerated(_facts(exprs))
	some a in known
	some b in known
	a.key == b.key
	_clash(a, b)
	reason := {"text": $"{_told(a)} and {_told(b)}", "at": _later(a.at, b.at)}
} | {{"text": "it says `false`", "at": object.get(expr, "at", [0, 0])} |
	some expr in exprs
	not expr.negated
	expr.terms.type == "boolean"
	expr.terms.value == false
}

# METADATA
# title: A fact that does not stand in the expressions
one_of(key, values, note) := {"key": key, "operator": "in", "value": values, "at": [0, 0], "note": note}

_facts(exprs) := {object.union(fact, {"at": object.get(expr, "at", [0, 0]), "note": ""}) |
	some expr in exprs
	not expr.negated
	not expr["with"]
	is_array(expr.terms)
	operator := _operators[syntax.dotted(expr.terms[0])]
	some fact in _said(operator, expr.terms[1], expr.terms[2])
}

# The values that the schema gives for the references that are spoken of.
_enumerated(known) := {one_of(fact.key, values, "in the schema of the input") |
	some fact in known
	values := _enums[fact.key]
}

_enums[key] := {value | some value in values} if {
	walk(input.schema, [path, values])
	is_array(values)
	path[count(path) - 1] == "enum"
	count(path) % 2 == 1
	every i, part in array.slice(path, 0, count(path) - 1) {
		_property_or_name(i, part)
	}
	key := concat(".", array.concat(["input"], [part | some i, part in array.slice(path, 0, count(path) - 1); i % 2 == 1]))
}

_property_or_name(i, part) if {
	i % 2 == 0
	part == "properties"
}

_property_or_name(i, _) if i % 2 == 1

_said(operator, left, right) := [{"key": key, "operator": operator, "value": syntax.scalar(right)}] if {
	operator != "in"
	key := _key(left)
} else := [{"key": key, "operator": _mirrored[operator], "value": syntax.scalar(left)}] if {
	key := _key(right)
} else := [{"key": key, "operator": "in", "value": {syntax.scalar(term) | some term in right.value}}] if {
	operator == "in"
	key := _key(left)
	right.type in {"array", "set"}
	every term in right.value {
		_is_scalar(term)
	}
} else := []

_is_scalar(term) if term.type in {"string", "number", "boolean", "null"}

# A reference of plain steps, or a variable.
_key(term) := term.value if term.type == "var"

_key(term) := concat(".", [$"{part.value}" | some part in term.value]) if {
	term.type == "ref"
	every part in term.value {
		part.type in {"string", "number", "var"}
	}
}

_clash(a, b) if {
	a.operator == "="
	b.operator == "="
	a.value < b.value
}

_clash(a, b) if {
	a.operator == "="
	b.operator == "!="
	a.value == b.value
}

_clash(a, b) if {
	a.operator == "="
	b.operator == "in"
	not a.value in b.value
}

_clash(a, b) if {
	a.operator == "in"
	b.operator == "in"
	count(a.value & b.value) == 0
	a.value < b.value
}

_clash(a, b) if {
	is_number(a.value)
	is_number(b.value)
	_empty_between(a, b)
}

_clash(a, b) if {
	a.operator == "="
	b.operator == "startswith"
	not startswith(a.value, b.value)
}

_clash(a, b) if {
	a.operator == "startswith"
	b.operator == "startswith"
	a.value < b.value
	not startswith(b.value, a.value)
}

_empty_between(a, b) if {
	a.operator in {">", ">=", "="}
	b.operator in {"<", "<="}
	a.value > b.value
}

_empty_between(a, b) if {
	a.value == b.value
	[a.operator, b.operator] in {[">", "<"], [">", "<="], [">=", "<"], ["=", "<"], ["=", ">"]}
}

_empty_between(a, b) if {
	a.operator == "="
	b.operator in {">", ">="}
	a.value < b.value
}

_told(fact) := $"`{fact.key}` is one of {concat(", ", sort([json.marshal(value) | some value in fact.value]))} {fact.note}" if {
	fact.operator == "in"
} else := $"`{fact.key} {fact.operator} {json.marshal(fact.value)}`"

_later(a, b) := a if {
	a >= b
} else := b
