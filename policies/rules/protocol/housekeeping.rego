# METADATA
# title: Protocol housekeeping
# description: >-
#   The methods that keep a session alive and touch no data: `data.protocol.call` from the agent, `data.protocol.message` from a server.
#   Lists are among them, because what a list shows is decided by `gateway/list`.
# custom:
#   id: PROTOCOL-001
#   severity: low
#   owner: platform
#   remediation: add the method to data.protocol
package rules.protocol.housekeeping

about := rego.metadata.chain()

allow contains "protocol housekeeping" if data.protocol[input.phase][input.request.method] == true
