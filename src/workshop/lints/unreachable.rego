# METADATA
# title: Every rule is reached
# description: >-
#   What no entrypoint reaches decides nothing. `settings.unreachable.used` names rules that something outside asks for.
# custom:
#   id: unreachable
#   cure: remove it, or use it in a rule that an entrypoint reaches; what only tests use belongs beside the tests
package castellan.lints.unreachable

about := rego.metadata.chain()

# The gateway asks for it by partial evaluation.
_used := {"gateway/mask_matters", "gateway/result_matters"} | {name | some name in input.settings.unreachable.used}

findings contains {"file": place.file, "row": place.row, "col": 1, "message": $"no entrypoint reaches `{place.path}`"} if {
	some place in input.unreached
	not place.path in _used
	not endswith(place.path, "/about")
	not _known_otherwise(place)
}

_known_otherwise(place) if {
	some finding in data.castellan.lints.known_sets.findings
	finding.file == place.file
	finding.row == place.row
}
