# METADATA
# title: Secrets never leave
# description: A call to a tool that sends data out is refused when a secret was found in its arguments.
# custom:
#   id: SECRETS-001
#   severity: critical
#   owner: security
#   remediation: take the secret out of what is sent, and rotate it
package rules.secrets.egress

about := rego.metadata.chain()

deny contains {
	"message": "there is a secret in the arguments of a tool that sends data out",
	"hint": "send it without the secret",
} if {
	input.phase == "call"
	some found in input.findings
	startswith(found.detector, "secret.")
	"egress" in input.tool.labels
}
