# METADATA
# title: Golden cases
# description: >-
#   Whole inputs and the whole answers to them, in cases/<topic>/<rule>.json. A case's `data` replaces keys at the top of data. Here OPA's
#   interpreter runs them; the gateway's own tests run the same files through WASM.
package cases_test

test_case[name] if {
	some topic, rule
	some golden in data.cases[topic][rule]
	name := concat(": ", [concat("/", [topic, rule]), golden.name])
	answer(golden) == golden.expect
}

# Silent where only Rego is loaded, as by a gateway that runs the golden cases itself.
test_each_rule_has_three_cases[name] if {
	is_object(data.cases)
	some topic, rule
	data.rules[topic][rule].about
	name := concat("/", [topic, rule])
	count(data.cases[topic][rule]) >= 3
}

answer(golden) := result if {
	changes := object.get(golden, "data", {})
	result := ask(golden.entrypoint) with input as golden.input
		with data.guardrails as object.get(changes, "guardrails", data.guardrails)
		with data.enforcement as object.get(changes, "enforcement", data.enforcement)
		with data.servers as object.get(changes, "servers", data.servers)
		with data.grants as object.get(changes, "grants", data.grants)
		with data.approval as object.get(changes, "approval", data.approval)
		with data.protocol as object.get(changes, "protocol", data.protocol)
		with data.paths as object.get(changes, "paths", data.paths)
		with data.path_tricks as object.get(changes, "path_tricks", data.path_tricks)
		with data.leading_dash as object.get(changes, "leading_dash", data.leading_dash)
		with data.sql as object.get(changes, "sql", data.sql)
		with data.labels as object.get(changes, "labels", data.labels)
		with data.flow as object.get(changes, "flow", data.flow)
		with data.privacy as object.get(changes, "privacy", data.privacy)
		with data.messages as object.get(changes, "messages", data.messages)
		with data.links as object.get(changes, "links", data.links)
		with data.limits as object.get(changes, "limits", data.limits)
		with data.audit as object.get(changes, "audit", data.audit)
}

ask("gateway/call") := data.gateway.call

ask("gateway/result") := data.gateway.result

ask("gateway/message") := data.gateway.message

ask("gateway/list") := data.gateway.list

ask("gateway/mask") := data.gateway.mask
