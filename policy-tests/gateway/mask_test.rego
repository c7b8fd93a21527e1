package gateway.mask_test

import data.fixture
import data.gateway

test_findings_are_masked_in_the_record if {
	mask := gateway.mask with input as fixture.result(["secret.aws-access-key", "pii.email", "injection.hidden-text"])
	mask.redactions == [
		{"rule": "gateway/mask", "detector": "pii.email", "as": "mask"},
		{"rule": "gateway/mask", "detector": "secret.aws-access-key", "as": "mask"},
	]
}

test_data_can_name_places if {
	mask := gateway.mask with input as fixture.call with data.audit.mask_pointers as ["/arguments/content"]
	mask == {"version": 1, "redactions": [{"rule": "gateway/mask", "pointer": "/arguments/content", "as": "mask"}]}
}

test_rules_can_name_places if {
	mask := gateway.mask with input as fixture.call with data.rules as {"local": {"x": {"mask": {{"pointer": "/identity/claims", "as": "drop"}}}}}
	mask.redactions == [{"rule": "local/x", "pointer": "/identity/claims", "as": "drop"}]
}

_erasing := {"/input/arguments/password", {"op": "upsert", "path": "/input/identity/subject", "value": "somebody"}}

test_masks_of_system_log_count if {
	mask := gateway.mask with input as fixture.call with data.system.log.mask as _erasing
	mask == {"version": 1, "redactions": [
		{"rule": "system/log/mask", "pointer": "/arguments/password", "as": "drop"},
		{"rule": "system/log/mask", "pointer": "/identity/subject", "as": "replace", "with": "somebody"},
	]}
}

test_system_log_can_drop_an_input if {
	gateway.mask.drop with input as fixture.call with data.system.log.drop as true
	gateway.mask.drop with input as fixture.call with data.system.log.mask as {"/input"}
	not gateway.mask.drop with input as fixture.call
}

test_the_mask_matters_where_it_says_something if {
	not gateway.mask_matters with input as fixture.call
	gateway.mask_matters with input as fixture.call with data.audit.mask_pointers as ["/arguments/content"]
	gateway.mask_matters with input as fixture.call with data.system.log.drop as true
	gateway.mask_matters with input as fixture.result(["secret.aws-access-key"])
}
