# METADATA
# title: SQL only reads
# description: >-
#   The argument that `data.sql.<server>.<tool>` names must be one statement that reads. It is judged by its words, not parsed: databases
#   differ, so what only one of them would run is refused too, also inside a quoted value.
# custom:
#   id: ARGUMENTS-003
#   severity: high
#   owner: security
#   remediation: give the tool a read-only account as well, or take it out of data.sql
package rules.arguments.sql_read_only

about := rego.metadata.chain()

deny contains {
	"message": concat(" ", ["the statement", _fault(input.arguments[argument])]),
	"hint": "send one SELECT without comments; pass values as parameters",
} if {
	input.phase == "call"
	argument := data.sql[input.tool.server][input.tool.name]
}

_fault(statement) := "is not text" if {
	not is_string(statement)
} else := "has a comment or a control character" if {
	some mark in ["--", "/*", "*/", "#", "\u0000"]
	contains(statement, mark)
} else := "is more than one statement" if {
	contains(trim_right(statement, "; \t\r\n"), ";")
} else := "does not start with a word that reads" if {
	not regex.match(`^(?i)[\s(]*(select|with|values|show|describe|explain)\b`, statement)
} else := "has a word that changes something" if {
	regex.match(_changing, statement)
}

_changing := concat("", [
	`(?i)\b(insert|update|delete|merge|upsert|drop|alter|create|truncate|rename|grant|revoke|call|exec|execute|copy|into|lock|vacuum|attach|`,
	`detach|pragma|install|load|prepare|deallocate|begin|commit|rollback|load_file|load_extension|outfile|dumpfile|nextval|setval|set_config|`,
	`pg_sleep|sleep|benchmark|pg_[a-z_]*(file|terminate|cancel|reload|rotate|advisory|notify)[a-z_]*|lo_[a-z_]+|dblink[a-z_]*|xp_[a-z_]+|`,
	`sp_[a-z_]+|query_to_xml[a-z_]*|openrowset|openquery|utl_[a-z_]+|dbms_[a-z_]+)\b`,
])
