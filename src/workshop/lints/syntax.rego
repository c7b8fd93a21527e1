# METADATA
# title: OPA's syntax tree, as lints look at it
package castellan.syntax

# METADATA
# title: The sets that the gateway reads of a rule
# description: The phases in which each is asked for, and the fields that a member may have beside `message`.
sets := {
	"allow": {"phases": {"call", "list", "message"}, "fields": set(), "needs": []},
	"visible": {"phases": {"list"}, "fields": set(), "needs": []},
	"deny": {"phases": {"call", "result", "list", "message"}, "fields": {"hint"}, "needs": [{"message"}]},
	"require_approval": {
		"phases": {"call"},
		"fields": {"hint", "groups", "quorum", "expires_s", "allow_self"},
		"needs": [{"message"}],
	},
	"redact": {
		"phases": {"call", "result", "message"},
		"fields": {"hint", "pointer", "detector", "as", "with"},
		"needs": [{"pointer", "detector"}],
	},
	"label": {"phases": {"call", "result"}, "fields": {"name"}, "needs": [{"name"}]},
	"limit": {"phases": {"call"}, "fields": {"hint", "key", "max", "per_s"}, "needs": [{"key"}, {"max"}, {"per_s"}]},
	"mask": {"phases": {"call", "result", "list", "message"}, "fields": {"hint", "pointer", "detector", "as", "with"}, "needs": [{"pointer", "detector"}]},
}

# METADATA
# title: Package of a file, as a list without `data`
path_of[file] := [part.value | some i, part in module.package.path; i > 0] if some file, module in input.modules

package_of[file] := concat(".", path) if some file, path in path_of

# METADATA
# title: Files that are a rule of the gateway
rule_files contains file if {
	some file, path in path_of
	path[0] == "rules"
	count(path) == 3
}

# METADATA
# title: Rules with a name, by file
rules contains {"file": file, "package": package_of[file], "index": index, "name": name, "rule": rule} if {
	some file, module in input.modules
	some index, rule in module.rules
	name := rule.head.ref[0].value
}

# METADATA
# title: Is it written `name contains member`?
is_set(rule) if {
	rule.head.key
	not rule.head.value
	count(rule.head.ref) == 1
}

# METADATA
# title: Every call of a builtin or function
calls contains {"file": file, "index": index, "name": name, "args": array.slice(parts, 1, count(parts)), "at": parts[0].at} if {
	some file, module in input.modules
	some index, rule in module.rules
	walk(rule, [_, node])
	parts := call_parts(node)
	name := dotted(parts[0])
}

# METADATA
# title: Operator and arguments of a call
# description: As a term it has them in `value`, as an expression of its own in `terms`.
call_parts(node) := node.value if {
	node.type == "call"
} else := node.terms if {
	is_array(node.terms)
}

# METADATA
# title: Name of a called function
dotted(ref) := concat(".", [part.value | some part in ref.value])

# METADATA
# title: A string, number, boolean or null as it stands
scalar(term) := term.value if term.type in {"string", "number", "boolean"}

scalar(term) := null if term.type == "null"

# METADATA
# title: Members of the object literals that a term is made of
# description: "`object.union({…}, x)` is looked into; `whole` says whether nothing else can add fields."
literals(term) := [{"object": term, "whole": true}] if {
	term.type == "object"
} else := [{"object": arg, "whole": false} | some arg in array.slice(term.value, 1, count(term.value)); arg.type == "object"] if {
	term.type == "call"
	dotted(term.value[0]) == "object.union"
} else := []

# METADATA
# title: The name that was probably meant
nearest(name, names) := best if {
	scores := {candidate: score | some candidate in names; score := likeness(name, candidate)}
	highest := max([score | some score in scores])
	highest >= 0.5
	best := sort([candidate | some candidate, score in scores; score == highest])[0]
}

# METADATA
# title: How alike two words are, 0 to 1
# description: Dice's coefficient over pairs of letters.
likeness(a, b) := (2 * count(pairs(a) & pairs(b))) / (count(pairs(a)) + count(pairs(b)))

pairs(word) := {substring(padded, i, 2) | some i in numbers.range(0, count(padded) - 2)} if padded := concat("", ["^", word, "$"])
