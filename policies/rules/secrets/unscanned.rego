# METADATA
# title: What was not looked through does not pass
# description: >-
#   Detectors look at a bounded part of a message. Where a limit was reached, something may have been missed: what a tool sends out, and
#   what comes back, is then held back. `data.secrets.unscanned.<server>: "pass"` lets a server's results through.
# custom:
#   id: SECRETS-003
#   severity: medium
#   owner: security
#   remediation: ask for less at a time, or raise content.max_scan_bytes
package rules.secrets.unscanned

about := rego.metadata.chain()

deny contains {
	"message": "the message is too large to be looked through for secrets",
	"hint": "ask for a smaller part at a time",
} if {
	some found in input.findings
	found.detector == "content.too_large"
	_matters
}

_matters if {
	input.phase == "call"
	"egress" in input.tool.labels
}

_matters if {
	input.phase != "call"
	not data.secrets.unscanned[input.target.server] == "pass"
}
