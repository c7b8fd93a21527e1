# METADATA
# title: Calls per identity
# description: How many calls one identity may make in a minute and in an hour, by its kind (`data.limits.rate.<kind>`).
# custom:
#   id: LIMITS-002
#   severity: medium
#   owner: platform
#   remediation: raise data.limits.rate for the kind of identity
package rules.limits.rate

about := rego.metadata.chain()

deny contains {"message": "too many calls in a minute", "hint": "wait a minute, then go on more slowly"} if {
	input.phase == "call"
	input.usage.calls_1m >= data.limits.rate[input.identity.kind].calls_1m
}

deny contains {"message": "too many calls in an hour", "hint": "wait, then go on more slowly"} if {
	input.phase == "call"
	input.usage.calls_1h >= data.limits.rate[input.identity.kind].calls_1h
}
