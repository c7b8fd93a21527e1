package gateway

import data.gateway.combine

# METADATA
# title: What must the audit record not keep?
# description: >-
#   Takes any input document; answers the places and findings to mask in the copy that is recorded, and whether to record none.
#   What packages `system.log` of OPA say (`mask`, `drop`) counts too.
# entrypoint: true
mask := object.union({"version": 1, "redactions": sort(_masks)}, _drop)

# METADATA
# title: Can the mask say anything about this input?
# description: >-
#   The gateway asks it by partial evaluation, once for a release, with no findings: where the answer is never, inputs in which nothing
#   was found are recorded without asking the mask.
mask_matters if some _ in _own_masks

# Whatever they say of which input: a `with` cannot be seen through beforehand.
mask_matters if data.system.log.mask

mask_matters if data.system.log.drop

_masks contains change if some change in _own_masks

_own_masks contains {"rule": "gateway/mask", "pointer": pointer, "as": "mask"} if some pointer in data.audit.mask_pointers

_own_masks contains {"rule": "gateway/mask", "detector": found.detector, "as": "mask"} if {
	some found in input.findings
	some prefix in data.audit.mask_detectors
	startswith(found.detector, prefix)
}

_own_masks contains combine.redaction(topic, rule, member) if {
	some topic, rule
	some member in data.rules[topic][rule].mask
}

_masks contains {"rule": "system/log/mask", "pointer": trim_prefix(path, "/input"), "as": "drop"} if {
	some path in _log_mask
	is_string(path)
	startswith(path, "/input/")
}

_masks contains object.union({"rule": "system/log/mask", "pointer": trim_prefix(entry.path, "/input")}, _change(entry)) if {
	some entry in _log_mask
	startswith(entry.path, "/input/")
}

default _drop := {}

_drop := {"drop": true} if {
	data.system.log.drop with input as _log_event
} else := {"drop": true} if {
	some entry in _log_mask
	_path(entry) == "/input"
}

_log_mask contains entry if some entry in data.system.log.mask with input as _log_event

# As OPA's decision log has it, as far as it is known before the decision is recorded.
_log_event := {"input": input, "path": $"gateway/{input.phase}", "labels": {}}

_path(entry) := entry if {
	is_string(entry)
} else := entry.path

_change(entry) := {"as": "replace", "with": entry.value} if {
	entry.op == "upsert"
	is_string(entry.value)
} else := {"as": "mask"} if {
	entry.op == "upsert"
} else := {"as": "drop"}
