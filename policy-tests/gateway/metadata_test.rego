package gateway.metadata_test

# Every shipped rule says what it is, who owns it, and what to do about it; and its id is its own.
test_every_rule_has_metadata[name] if {
	some name in _names
	_described[name]
}

test_every_id_is_used_once if {
	ids := [chain[1].annotations.custom.id |
		some topic, rule
		chain := data.rules[topic][rule].about
	]
	count(ids) == count({id | some id in ids})
}

_names contains concat("/", [topic, rule]) if {
	some topic, rule
	data.rules[topic][rule].about
}

_described[name] := true if {
	some topic, rule
	chain := data.rules[topic][rule].about
	name := concat("/", [topic, rule])
	annotations := chain[1].annotations
	annotations.title
	annotations.description
	every field in ["id", "severity", "owner", "remediation"] {
		annotations.custom[field]
	}
	annotations.custom.severity in ["low", "medium", "high", "critical"]
}
