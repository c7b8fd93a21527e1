# METADATA
# title: Rules that can never be true
package castellan.dead

import data.castellan.contradiction
import data.castellan.syntax

# METADATA
# title: Whole sets of a rule
sets contains {
	"file": file,
	"row": row,
	"col": col,
	"set": residue.set,
	"message": $"`{residue.set}` can never have a member: {text}",
} if {
	some residue in input.residues
	text := _why(residue)
	places := [[found.file, place] |
		some found in syntax.rules
		found.package == residue["package"]
		found.name == residue.set
		place := _place(found)
	]
	[file, [row, col]] := sort(places)[0]
}

_why(residue) := $"there is no data `{concat("`, `", missing)}`" if {
	residue.outcome == "never"
	missing := sort(_missing(residue["package"]))
	count(missing) > 0
} else := "partial evaluation leaves nothing of it" if {
	residue.outcome == "never"
} else := sort(texts)[0] if {
	residue.outcome == "residual"
	texts := {text |
		some fragment in residue.fragments
		some reason in contradiction.reasons(fragment, _asked(residue.set))
		text := reason.text
	}
	count(texts) > 0
	every fragment in residue.fragments {
		count(contradiction.reasons(fragment, _asked(residue.set))) > 0
	}
}

# Data that the rule reads and that neither the data files nor a package has.
_missing(package_name) := {name |
	some file, of in syntax.package_of
	of == package_name
	walk(input.modules[file].rules, [_, node])
	node.type == "ref"
	node.value[0].value == "data"
	name := node.value[1].value
	node.value[1].type == "string"
	not name in input.data_roots
	not name in {path[0] | some path in syntax.path_of}
}

# Where its body contradicts itself, that line; else the rule.
_place(found) := max([reason.at |
	some reason in contradiction.reasons(found.rule.body, _asked(found.name))
	reason.at[0] > 0
]) if {
	true
} else := found.rule.head.at

# METADATA
# title: Single bodies, of any rule
bodies contains {
	"file": found.file,
	"row": place[0],
	"col": place[1],
	"set": found.name,
	"message": $"`{found.name}` can never be true here: {reason.text}",
} if {
	some found in syntax.rules
	some reason in contradiction.reasons(found.rule.body, _asked_in(found))
	place := max([reason.at, found.rule.head.at])
}

_asked_in(found) := _asked(found.name) if {
	found.file in syntax.rule_files
	syntax.is_set(found.rule)
} else := set()

# In other phases the gateway does not ask for the set.
_asked(set_name) := {contradiction.one_of("input.phase", phases, $"where `{set_name}` is asked for")} if {
	phases := syntax.sets[set_name].phases
} else := set()
