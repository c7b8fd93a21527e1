# METADATA
# title: Every rule has a test
# description: >-
#   For the package `rules.<topic>.<rule>` there is a package `rules.<topic>.<rule>_test`, with at least one `test_` rule.
# custom:
#   id: test-twin
#   cure: write one case in which the rule speaks and one in which it is silent
package castellan.lints.test_twin

import data.castellan.syntax

about := rego.metadata.chain()

findings contains {
	"file": file,
	"row": at[0],
	"col": at[1],
	"message": $"`{name}` has no test",
	"cure": $"add `{input.folders.tests}/{concat("/", syntax.path_of[file])}_test.rego`, package `{name}_test`, with `test_` rules",
} if {
	some file in syntax.rule_files
	name := syntax.package_of[file]
	object.get(input.tests, $"{name}_test", 0) == 0
	at := input.modules[file].package.at
}
