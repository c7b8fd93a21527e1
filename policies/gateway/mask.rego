package gateway

import data.gateway.combine

# METADATA
# title: What must the audit record not keep?
# description: Takes any input document; answers the places and findings to mask in the copy that is recorded.
# entrypoint: true
mask := {"version": 1, "redactions": sort(_masks)}

_masks contains {"rule": "gateway/mask", "pointer": pointer, "as": "mask"} if some pointer in data.audit.mask_pointers

_masks contains {"rule": "gateway/mask", "detector": found.detector, "as": "mask"} if {
	some found in input.findings
	some prefix in data.audit.mask_detectors
	startswith(found.detector, prefix)
}

_masks contains combine.redaction(topic, rule, member) if {
	some topic, rule
	some member in data.rules[topic][rule].mask
}
