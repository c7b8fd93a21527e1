# METADATA
# title: Secrets are taken out
# description: A secret found in arguments, in a result or in a message from a server is masked before it goes on.
# custom:
#   id: SECRETS-002
#   severity: high
#   owner: security
#   remediation: rotate the secret, and keep it where agents do not read
package rules.secrets.redact

about := rego.metadata.chain()

redact contains {"message": "a secret was taken out", "detector": found.detector, "as": "mask"} if {
	some found in input.findings
	startswith(found.detector, "secret.")
}
