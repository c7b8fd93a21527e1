# METADATA
# title: What a server may ask of the agent
# description: >-
#   Sampling, elicitation and roots let a server use the agent's model, its person or its folders. A server may ask for those that
#   `data.servers.<server>.may_ask` names, and for nothing else.
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
