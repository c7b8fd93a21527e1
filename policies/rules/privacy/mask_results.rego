# METADATA
# title: Personal data is masked in results
# description: What detectors find of personal data in a result is masked, except for groups in `data.privacy.clear_for`.
# custom:
#   id: PRIVACY-001
#   severity: high
#   owner: privacy
#   remediation: add a group that has to see personal data to data.privacy.clear_for
package rules.privacy.mask_results

about := rego.metadata.chain()

redact contains {"message": "personal data was masked", "detector": found.detector, "as": "mask"} if {
	some found in input.findings
	startswith(found.detector, "pii.")
	input.phase == "result"
	not _may_see
}

_may_see if {
	some group in input.identity.groups
	group in data.privacy.clear_for
}
