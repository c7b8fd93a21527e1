# METADATA
# title: No table as a literal
# description: >-
#   A literal is built anew in each evaluation: a table of 1,000 entries costs 117 µs written in Rego and 3 µs in data. More constant entries
#   than `settings.table-literal.max_entries` (16) are a table.
# custom:
#   id: table-literal
#   cure: move the table to `data.json` and look it up by key
package castellan.lints.table_literal

about := rego.metadata.chain()

_max := object.get(input.settings, ["table-literal", "max_entries"], 16)

findings contains {
	"file": file,
	"row": node.at[0],
	"col": node.at[1],
	"message": $"a literal with {entries} entries is built in each evaluation",
} if {
	some file, module in input.modules
	some rule in module.rules
	walk(rule, [_, node])
	node.type in {"array", "set", "object"}
	count(node.value) > _max
	entries := count([entry | some entry in node.value; _constant(entry)])
	entries > _max
}

_variable := {"ref", "var", "call", "arraycomprehension", "setcomprehension", "objectcomprehension", "templatestring"}

_constant(entry) if {
	is_object(entry)
	not entry.type in _variable
}

_constant([key, value]) if {
	not key.type in _variable
	not value.type in _variable
}
