# METADATA
# title: METADATA is there
# description: >-
#   Every rule says what it is: a title, a description, and values that the gateway knows. Other packages have at least one such block.
#   `settings.metadata.require` names further keys of `custom` that each rule must have.
# custom:
#   id: metadata
#   cure: write a `# METADATA` block with `title` and `description` above `package`
package castellan.lints.metadata

import data.castellan.syntax

about := rego.metadata.chain()

_of_package[file] := annotation if {
	some file, module in input.modules
	some annotation in module.annotations
	annotation.scope == "package"
}

findings contains {"file": file, "row": at[0], "col": at[1], "message": $"the rule `{syntax.package_of[file]}` has no METADATA"} if {
	some file in syntax.rule_files
	not _of_package[file]
	at := input.modules[file].package.at
}

findings contains {"file": file, "row": at[0], "col": at[1], "message": $"the METADATA of `{syntax.package_of[file]}` has no {key}"} if {
	some file in syntax.rule_files
	annotation := _of_package[file]
	some key in ["title", "description"]
	object.get(annotation, key, "") == ""
	at := annotation.at
}

findings contains {
	"file": file,
	"row": at[0],
	"col": at[1],
	"message": $"the METADATA of `{syntax.package_of[file]}` has no `custom.{key}`",
	"cure": $"add `custom.{key}` to it; the lint settings ask for it",
} if {
	some file in syntax.rule_files
	annotation := _of_package[file]
	some key in input.settings.metadata.require
	object.get(annotation, ["custom", key], "") == ""
	at := annotation.at
}

findings contains {
	"file": file,
	"row": annotation.at[0],
	"col": annotation.at[1],
	"message": $"`custom.{key}` is `{value}`",
	"cure": $"write one of: {concat(", ", known)}",
} if {
	some file in syntax.rule_files
	annotation := _of_package[file]
	some key, known in {"severity": ["low", "medium", "high", "critical"], "enforcement": ["enforce", "warn", "dry_run"]}
	value := annotation.custom[key]
	not value in known
}

# Without `about` the gateway cannot read the block: a rule meant to be watched would be enforced.
findings contains {
	"file": file,
	"row": annotation.at[0],
	"col": annotation.at[1],
	"message": $"`custom.{key}` is not read, because the rule has no `about`",
	"cure": "add `about := rego.metadata.chain()` below the package",
} if {
	some file in syntax.rule_files
	annotation := _of_package[file]
	some key in ["severity", "owner", "enforcement"]
	annotation.custom[key]
	not _has_about(file)
}

_has_about(file) if {
	some rule in input.modules[file].rules
	rule.head.name == "about"
}

findings contains {"file": file, "row": at[0], "col": at[1], "message": $"the package `{name}` has no METADATA"} if {
	some name in {name | some file, name in syntax.package_of; not file in syntax.rule_files}
	files := sort([file | some file, of in syntax.package_of; of == name])
	every file in files {
		count(object.get(input.modules[file], "annotations", [])) == 0
	}
	file := files[0]
	at := input.modules[file].package.at
}
