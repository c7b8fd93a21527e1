# METADATA
# title: What a server may ask of the agent
# description: >-
#   Sampling, elicitation and roots let a server use the agent's model, its person or its folders. A server may ask for those that
#   `data.servers.<server>.may_ask` names, and for nothing else. The agent's answer is a call of its own: it may be given where the question
#   may be asked.
# custom:
#   id: MESSAGES-001
#   severity: high
#   owner: security
#   remediation: add the kind to may_ask of the server in data.servers
package rules.messages.server_requests

about := rego.metadata.chain()

allow contains "the server may ask for this" if {
	input.phase == "message"
	data.servers[input.target.server].may_ask[input.target.kind] == true
}

# What an agent sends unasked has no server: only an answer names the one that asked.
allow contains "the agent may answer what the server may ask" if {
	input.phase == "call"
	input.request.method in {"sampling/createMessage", "elicitation/create", "roots/list"}
	data.servers[input.target.server].may_ask[input.target.kind] == true
}
