# METADATA
# title: What the lints found
# description: >-
#   Gathers the findings of every lint that is not switched off, wherever its file lies beside this one. The input is one document about a
#   policy folder: `modules` (OPA's syntax tree by file, with `at: [row, column]` for each node), `tests`, `unreached`, `residues`, `schema`
#   and `settings`.
package castellan.lint

import data.castellan.lint.settings

report contains object.union(finding, {"lint": id, "level": settings.level(id), "cure": cure}) if {
	some lint
	chain := data.castellan.lints[lint].about
	id := chain[1].annotations.custom.id
	not settings.disabled(id)
	some finding in data.castellan.lints[lint].findings
	not settings.ignored(id, finding.file, finding.row)
	cure := object.get(finding, "cure", chain[1].annotations.custom.cure)
}

# METADATA
# title: The lints that there are
catalogue contains {"lint": custom.id, "title": annotations.title, "description": annotations.description, "cure": custom.cure} if {
	some lint
	annotations := data.castellan.lints[lint].about[1].annotations
	custom := annotations.custom
}
