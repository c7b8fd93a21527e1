package gateway

import data.gateway.combine

_withheld := combine.enforced(combine.denials)

_result_dry_run := sort(array.concat(combine.watched(combine.denials), combine.watched(combine.changes)))

# METADATA
# title: May this result reach the agent, and how changed?
# description: >-
#   The call was allowed, so silence passes the result on. A denial withholds it. Answers the decision document.
# entrypoint: true
result := {
	"version": 1,
	"effect": "deny",
	"reasons": sort(_withheld),
	"redactions": [],
	"approval": null,
	"labels": sort(combine.labels),
	"limits": [],
	"dry_run": _result_dry_run,
} if {
	count(_withheld) > 0
} else := {
	"version": 1,
	"effect": "redact",
	"reasons": sort(combine.enforced(combine.changes)),
	"redactions": sort(combine.redactions),
	"approval": null,
	"labels": sort(combine.labels),
	"limits": [],
	"dry_run": _result_dry_run,
} if {
	count(combine.redactions) > 0
} else := {
	"version": 1,
	"effect": "allow",
	"reasons": [],
	"redactions": [],
	"approval": null,
	"labels": sort(combine.labels),
	"limits": [],
	"dry_run": _result_dry_run,
}

# METADATA
# title: Can any rule say something about this result?
# description: >-
#   The gateway asks it by partial evaluation, once for each tool, with the result unknown and no findings: where no rule could ever fire,
#   results of that tool in which nothing was found need no judging.
result_matters if {
	some topic, rule
	some _ in data.rules[topic][rule].deny
}

result_matters if {
	some topic, rule
	some _ in data.rules[topic][rule].redact
}

result_matters if {
	some topic, rule
	some _ in data.rules[topic][rule].label
}
