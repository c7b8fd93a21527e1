# METADATA
# title: Inputs to start from
# description: Whole, valid input documents. A test says only what differs, with `with input.… as …` or `object.union`.
package fixture

call := {
	"version": 1,
	"phase": "call",
	"at": "2026-11-21T07:30:00.123Z",
	"at_ns": 1795246200123000000,
	"request": {
		"id": "call_1",
		"method": "tools/call",
		"endpoint": "default",
		"protocol_version": "2025-11-25",
		"ip": "10.0.0.7",
		"user_agent": "agent/1.0",
	},
	"identity": {
		"issuer": "https://idp.example",
		"subject": "u-17",
		"client": "agent",
		"kind": "user",
		"tenant": "acme",
		"groups": ["engineering"],
		"scopes": ["mcp:tools"],
		"claims": {},
		"auth": {"method": "oidc", "age_s": 40},
		"on_behalf_of": null,
	},
	"target": {"kind": "tool", "server": "files", "name": "read_text_file"},
	"tool": tool,
	"arguments": {"path": "docs/plan.md"},
	"findings": [],
	"history": [],
	"session": {"id": "s-1", "started_at": "2026-11-21T07:20:00.000Z", "calls": 3, "denied": 0, "labels": []},
	"usage": {"calls_1m": 3, "calls_1h": 20, "same_call_1m": 0},
	"approval": null,
	"environment": {"name": "test", "labels": {}},
}

tool := {
	"server": "files",
	"name": "read_text_file",
	"exposed_name": "read_text_file",
	"annotations": {"readOnlyHint": true},
	"labels": [],
	"definition_digest": "sha256:0",
	"pinned": true,
}

# METADATA
# title: A call of another tool
on(server, name, annotations, labels) := object.union(object.remove(call, ["tool", "arguments"]), {
	"target": {"server": server, "name": name},
	"tool": {
		"server": server,
		"name": name,
		"exposed_name": name,
		"annotations": annotations,
		"labels": labels,
		"definition_digest": "sha256:0",
		"pinned": true,
	},
	"arguments": {},
})

# METADATA
# title: A call with other arguments
with_arguments(arguments) := object.union(object.remove(call, ["arguments"]), {"arguments": arguments})

# METADATA
# title: A call that is about something else than a tool
about(kind, server, name, method) := object.union(object.remove(call, ["tool", "arguments"]), {
	"request": {"method": method},
	"target": {"kind": kind, "server": server, "name": name},
	"arguments": {},
})

# METADATA
# title: A message from a server
message(kind, server, method) := object.union(about(kind, server, method, method), {"phase": "message"})

# METADATA
# title: A result with what detectors found in it
result(detectors) := object.union(call, {
	"phase": "result",
	"result": {"content": [{"type": "text", "text": "…"}]},
	"findings": [{"detector": detector, "pointer": "/result/content/0/text", "count": 1} | some detector in detectors],
})

# METADATA
# title: A call with what detectors found in its arguments
found(base, detectors) := object.union(base, {"findings": [{"detector": detector, "pointer": "/arguments/text", "count": 1} |
	some detector in detectors
]})
