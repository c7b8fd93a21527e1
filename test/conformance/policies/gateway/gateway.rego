# METADATA
# title: Everything is allowed
# description: What the conformance suite looks at is the protocol; with this policy no answer differs because a rule said so.
package gateway

_allowed := {
	"version": 1,
	"effect": "allow",
	"reasons": [{"rule": "conformance/all", "effect": "allow", "message": "conformance runs allow everything"}],
	"redactions": [],
	"approval": null,
	"labels": [],
	"limits": [],
	"dry_run": [],
}

# METADATA
# title: Every call
# entrypoint: true
call := _allowed

# METADATA
# title: Every result
# entrypoint: true
result := _allowed

# METADATA
# title: Every message of the server
# entrypoint: true
message := _allowed

# METADATA
# title: The whole list
# entrypoint: true
list := {"version": 1, "visible": array.concat(
	[tool.exposed_name | some tool in object.get(input, "tools", [])],
	[item.name | some item in object.get(input, "items", [])],
)}

# METADATA
# title: Nothing is masked
# entrypoint: true
mask := {"version": 1, "redactions": []}
