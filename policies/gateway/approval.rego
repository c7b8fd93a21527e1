# METADATA
# title: Approval terms
# description: >-
#   Several rules may ask for a human about one call: one approval answers them all, on the strictest of their terms. `terms` keeps
#   what each rule asked for; whoever counts votes has to satisfy each of them.
package gateway.approval

import data.gateway.combine

_terms := [found.terms |
	some found in combine.approvals
	found.mode == "enforce"
]

# A group that satisfies every rule. Empty where no group does: then only votes from several groups, counted by `terms`, suffice.
_common contains group if {
	some group in _terms[0].groups
	every term in _terms {
		group in term.groups
	}
}

_self_refused if {
	some term in _terms
	not term.allow_self == true
}

merged := {
	"groups": sort(_common),
	"quorum": max([term.quorum | some term in _terms]),
	"expires_s": min([term.expires_s | some term in _terms]),
	"allow_self": _allow_self,
	"rules": sort({term.rule | some term in _terms}),
	"terms": sort(_terms),
}

default _allow_self := true

_allow_self := false if _self_refused
