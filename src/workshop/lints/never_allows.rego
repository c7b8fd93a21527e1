# METADATA
# title: Every allow can allow
# description: >-
#   Partial evaluation with an unknown input and unknown data leaves nothing of this set, or only conditions that contradict each other or
#   the schema of the input.
# custom:
#   id: never-allows
#   cure: correct the condition that can never hold, or remove the rule
package castellan.lints.never_allows

import data.castellan.dead

about := rego.metadata.chain()

findings contains finding if {
	some finding in dead.sets
	finding.set in {"allow", "visible"}
}
