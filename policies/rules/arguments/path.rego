# METADATA
# title: Paths stay inside their folders
# description: >-
#   Each path argument (`data.paths.<server>.arguments`) must be inside a root. Climbing, encoded and look-alike separators, home folders
#   and drives are refused rather than resolved.
# custom:
#   id: ARGUMENTS-001
#   severity: high
#   owner: security
#   remediation: open the folder in data.paths.<server>.roots
package rules.arguments.path

import data.lib.paths

about := rego.metadata.chain()

deny contains {
	"message": concat(" ", ["the path", paths.fault(value)]),
	"hint": "give a plain path inside the folders that are open to you",
} if {
	input.phase == "call"
	some value in paths.values
}
