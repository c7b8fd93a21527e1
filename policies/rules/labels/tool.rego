# METADATA
# title: A tool's labels mark its calls
# description: The labels in `data.labels.kept` pass from the tool to the call, and so into the history that later rules look at.
# custom:
#   id: LABELS-001
#   severity: low
#   owner: security
#   remediation: change the tool's labels in the configuration
package rules.labels.tool

about := rego.metadata.chain()

label contains name if {
	input.phase == "call"
	some name in input.tool.labels
	name in data.labels.kept
}
