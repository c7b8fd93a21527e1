# METADATA
# title: Personal data is masked on its way out
# description: Personal data in the arguments of a tool that sends data out is masked. Who asks makes no difference.
# custom:
#   id: PRIVACY-002
#   severity: high
#   owner: privacy
#   remediation: use a tool that keeps the data inside
package rules.privacy.mask_egress

about := rego.metadata.chain()

redact contains {"message": "personal data was masked", "detector": found.detector, "as": "mask"} if {
	some found in input.findings
	startswith(found.detector, "pii.")
	input.phase == "call"
	"egress" in input.tool.labels
}
