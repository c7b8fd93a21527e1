# METADATA
# title: Which lints count, and where
# description: >-
#   From the lint file of the repository, the command line, and comments such as `# lint-ignore: table-literal`.
package castellan.lint.settings

disabled(id) if id in input.settings.disable

level(id) := "warning" if {
	id in input.settings.warn
} else := "error"

ignored(id, file, _) if {
	some pattern in input.settings.ignore[id]
	glob.match(pattern, ["/"], file)
}

# A comment counts for its own line and for the one below it.
ignored(id, file, row) if {
	some [at, text] in input.modules[file].comments
	at in {row, row - 1}
	startswith(trim_space(text), "lint-ignore:")
	id in {trim_space(part) | some part in split(trim_prefix(trim_space(text), "lint-ignore:"), ",")}
}
