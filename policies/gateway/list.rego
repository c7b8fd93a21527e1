package gateway

import data.gateway.combine

# METADATA
# title: What may this identity see?
# description: >-
#   Everything that some arguments could make possible: there are no arguments at this time, so a rule that needs them is silent. An
#   allow rule that needs them says so in `visible`. Advisory: each call is judged again.
# entrypoint: true
list := {"version": 1, "visible": sort(_visible_tools | _visible_items)}

_visible_tools contains tool.exposed_name if {
	watched := combine.unenforced
	some tool in input.tools
	_possible(watched) with input.tool as tool with input.target as {"kind": "tool", "server": tool.server, "name": tool.name}
}

# Two servers may use one name: it shows only if each of them may be used under it.
_visible_items := _shown_items - _hidden_items

_shown_items contains _listed(item) if {
	watched := combine.unenforced
	some item in input.items
	_possible(watched) with input.item as item with input.target as object.remove(item, ["findings", "exposed_name"])
}

_hidden_items contains _listed(item) if {
	watched := combine.unenforced
	some item in input.items
	not _possible(watched) with input.item as item with input.target as object.remove(item, ["findings", "exposed_name"])
}

# Agents list a prompt under a name that may differ from the one it has at its server, which rules go by.
_listed(item) := object.get(item, "exposed_name", item.name)

_possible(watched) if {
	_allowed(watched)
	not _denied(watched)
}

_allowed(watched) if {
	some topic, rule
	some _ in data.rules[topic][rule].allow
	not watched[topic][rule]
}

_allowed(watched) if {
	some topic, rule
	some _ in data.rules[topic][rule].visible
	not watched[topic][rule]
}

_denied(watched) if {
	some topic, rule
	some _ in data.rules[topic][rule].deny
	not watched[topic][rule]
}
