# METADATA
# title: The decision document
# description: What `gateway/call` and `gateway/message` return. The effects are in order of strength, and nothing allows by default.
package gateway.decide

import data.gateway.combine

_denied := combine.enforced(combine.denials)

_held := combine.enforced(combine.approvals)

_allowed := combine.enforced(combine.allowances)

_changed := combine.enforced(combine.changes)

_dry_run := sort(array.concat(
	array.concat(combine.watched(combine.denials), combine.watched(combine.approvals)),
	array.concat(combine.watched(combine.allowances), combine.watched(combine.changes)),
))

# METADATA
# title: Decision
# description: >-
#   A change or an approval permits nothing by itself: without a rule that allows, nobody is asked and nothing is sent.
decision := {
	"version": 1,
	"effect": "deny",
	"reasons": sort(_denied),
	"redactions": [],
	"approval": null,
	"labels": [],
	"limits": [],
	"dry_run": _dry_run,
} if {
	count(_denied) > 0
} else := {
	"version": 1,
	"effect": "deny",
	"reasons": [{
		"rule": "gateway/default",
		"effect": "deny",
		"message": "no rule allows this",
		"hint": "use a tool that is listed for you, or ask for a grant",
	}],
	"redactions": [],
	"approval": null,
	"labels": [],
	"limits": [],
	"dry_run": _dry_run,
} if {
	count(_allowed) == 0
} else := {
	"version": 1,
	"effect": "require_approval",
	"reasons": sort(_held),
	"redactions": sort(combine.redactions),
	"approval": data.gateway.approval.merged,
	"labels": sort(combine.labels),
	"limits": sort(combine.limits),
	"dry_run": _dry_run,
} if {
	count(_held) > 0
} else := {
	"version": 1,
	"effect": "redact",
	"reasons": sort(_changed),
	"redactions": sort(combine.redactions),
	"approval": null,
	"labels": sort(combine.labels),
	"limits": sort(combine.limits),
	"dry_run": _dry_run,
} if {
	count(combine.redactions) > 0
} else := {
	"version": 1,
	"effect": "allow",
	"reasons": sort(_allowed),
	"redactions": [],
	"approval": null,
	"labels": sort(combine.labels),
	"limits": sort(combine.limits),
	"dry_run": _dry_run,
}
