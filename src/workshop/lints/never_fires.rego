# METADATA
# title: Every rule can speak
# description: >-
#   As `never-allows`, for the other sets, and for single bodies of a rule whose conditions contradict each other.
# custom:
#   id: never-fires
#   cure: correct the condition that can never hold, or remove the rule
package castellan.lints.never_fires

import data.castellan.dead

about := rego.metadata.chain()

findings contains finding if {
	some finding in dead.sets
	not finding.set in {"allow", "visible"}
}

findings contains finding if {
	some finding in dead.bodies
	not _whole_set(finding)
}

_whole_set(finding) if {
	some other in dead.sets
	other.file == finding.file
	other.set == finding.set
}
