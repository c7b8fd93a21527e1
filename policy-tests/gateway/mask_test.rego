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
