# METADATA
# title: Combining
# description: >-
#   Gathers what every rule says, wherever its file lies under rules/, and orders it: deny, require_approval, redact, allow, and
#   deny where nothing allows. What a rule says that is not enforced (data.enforcement, or its METADATA) is reported instead.
package gateway.combine

# One generator over two unbound keys: the compiler unrolls it into one call for each rule that has the set. So a new file under
# rules/ takes part by being there, and nothing is looked up while a call is decided.
denials contains finding(topic, rule, "deny", member) if {
	some topic, rule
	some member in data.rules[topic][rule].deny
}

# A counted limit that is used up denies. The gateway counts once more, atomically, when it spends from it.
denials contains finding(topic, rule, "deny", spent(member)) if {
	some [topic, rule, member] in _limits
	input.usage.limits[member.key] >= member.max
}

approvals contains object.union(finding(topic, rule, "require_approval", member), {"terms": terms(topic, rule, member)}) if {
	some topic, rule
	some member in data.rules[topic][rule].require_approval
	not satisfied(topic, rule)
}

changes contains object.union(finding(topic, rule, "redact", member), {"redaction": redaction(topic, rule, member)}) if {
	some topic, rule
	some member in data.rules[topic][rule].redact
}

# On the path of every call, so written out: without the fields that only a refusal needs.
allowances contains {
	"mode": mode(topic, rule),
	"reason": {"rule": rule_id(topic, rule), "effect": "allow", "message": text(member)},
} if {
	some topic, rule
	some member in data.rules[topic][rule].allow
}

labels contains label_name(member) if {
	some topic, rule
	some member in data.rules[topic][rule].label
	mode(topic, rule) == "enforce"
}

limits contains counted(topic, rule, member) if {
	some [topic, rule, member] in _limits
	mode(topic, rule) == "enforce"
}

# Calls are counted, and nothing else.
_limits contains [topic, rule, member] if {
	input.phase == "call"
	some topic, rule
	some member in data.rules[topic][rule].limit
}

# METADATA
# title: The reasons of those findings that are enforced
enforced(findings) := [found.reason |
	some found in findings
	found.mode == "enforce"
]

redactions := [found.redaction |
	some found in changes
	found.mode == "enforce"
]

# METADATA
# title: What would have been, had the rule been enforced
watched(findings) := [object.union(found.reason, {"enforcement": found.mode}) |
	some found in findings
	found.mode != "enforce"
]

# METADATA
# title: One contribution, with how far it counts
# description: >-
#   A member that is not written as the contract says still counts: a denial with a misspelt field denies. A redaction or a limit
#   that cannot be understood is handed on as it is, and the gateway, which validates the answer, denies the call.
finding(topic, rule, effect, member) := {
	"mode": mode(topic, rule),
	"reason": reason(member, object.union(
		object.filter(about(topic, rule), ["severity", "owner"]),
		{"rule": rule_id(topic, rule), "effect": effect},
	)),
}

reason(member, base) := object.union(base, {"message": text(member), "hint": member.hint}) if {
	is_string(member.hint)
} else := object.union(base, {"message": text(member)})

text(member) := member if {
	is_string(member)
} else := member.message if {
	is_string(member.message)
} else := "the rule gave no message"

redaction(topic, rule, member) := object.union(
	{"rule": rule_id(topic, rule), "as": "mask"},
	object.remove(member, ["message", "hint"]),
) if {
	is_object(member)
} else := {"rule": rule_id(topic, rule), "malformed": member}

spent(member) := member if {
	is_string(member.message)
} else := object.union(member, {"message": $"the limit of {member.max} calls in {member.per_s} s is used up"})

label_name(member) := member if {
	is_string(member)
} else := member.name if {
	is_string(member.name)
} else := {"malformed": member}

counted(topic, rule, member) := object.union(object.remove(member, ["message", "hint"]), {"rule": rule_id(topic, rule)}) if {
	is_object(member)
} else := {"rule": rule_id(topic, rule), "malformed": member}

# Terms that a rule leaves out: decided by the groups that data names, by one person, and not by the one who asks.
terms(topic, rule, member) := object.union(
	{"rule": rule_id(topic, rule), "groups": _groups, "quorum": 1, "expires_s": _expires_s, "allow_self": false},
	object.filter(member, ["groups", "quorum", "expires_s", "allow_self"]),
) if {
	is_object(member)
} else := {"rule": rule_id(topic, rule), "groups": _groups, "quorum": 1, "expires_s": _expires_s, "allow_self": false}

# Without data nobody may approve: the call still waits, or is refused, and never goes on.
default _groups := []

_groups := data.approval.groups

default _expires_s := 900

_expires_s := data.approval.expires_s

# An approval is of the whole call, but satisfies only the rules that it was asked for.
satisfied(topic, rule) if {
	input.approval.state == "approved"
	rule_id(topic, rule) in input.approval.rules
}

rule_id(topic, rule) := concat("/", [topic, rule])

# METADATA
# title: How far a rule counts
# description: enforce, warn or dry_run. A guardrail is always enforced, and so is a rule whose setting is misspelt.
mode(topic, rule) := "enforce" if {
	topic in data.guardrails
} else := configured if {
	configured := data.enforcement[rule_id(topic, rule)]
	configured in ["enforce", "warn", "dry_run"]
} else := annotated if {
	annotated := object.get(about(topic, rule), "enforcement", "enforce")
	annotated in ["warn", "dry_run"]
} else := "enforce"

# METADATA
# title: The rules that are not enforced
# description: For a caller that asks about many things at once, and would otherwise ask `mode` for each of them.
unenforced[topic][rule] if {
	some topic, rule
	data.rules[topic][rule].about
	mode(topic, rule) != "enforce"
}

unenforced[topic][rule] if {
	some id, _ in data.enforcement
	[topic, rule] := split(id, "/")
	mode(topic, rule) != "enforce"
}

# METADATA
# title: A rule's METADATA custom block
# description: >-
#   Read only where a rule fired. It is there where the rule's file says `about := rego.metadata.chain()`; the first link is the rule
#   `about` itself, the second its package.
about(topic, rule) := custom if {
	chain := data.rules[topic][rule].about
	custom := object.get(chain[0], ["annotations", "custom"], object.get(chain[1], ["annotations", "custom"], {}))
} else := {}
