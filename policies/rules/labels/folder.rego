# METADATA
# title: Folders mark what is read from them
# description: >-
#   A call whose path has a step named in `data.labels.folders.<server>` carries that label. Case makes no difference; paths that could
#   be read in two ways are refused by arguments/path.
# custom:
#   id: LABELS-002
#   severity: medium
#   owner: security
#   remediation: name the folders in data.labels.folders
package rules.labels.folder

import data.lib.paths

about := rego.metadata.chain()

label contains folders[step] if {
	input.phase == "call"
	folders := data.labels.folders[input.tool.server]
	some value in paths.values
	some step in split(lower(value), "/")
}
