# METADATA
# title: Where links in results may lead
# description: >-
#   A result may carry links to resources, and whole resources. For the servers in `data.links` each of their URIs must start with one of
#   the places named there; otherwise the result is withheld. Results of other servers are not looked at.
# custom:
#   id: LINKS-001
#   severity: medium
#   owner: security
#   remediation: add the start of the URI to the server in data.links
package rules.links.known_places

about := rego.metadata.chain()

deny contains {
	"message": "a link in the result leads to where this server has no business",
	"hint": "ask for what the link would give by a tool of its own",
} if {
	input.phase == "result"
	places := data.links[input.tool.server]
	some uri in _uris
	not _inside(uri, places)
}

_uris contains item.uri if some item in input.result.content

_uris contains item.resource.uri if some item in input.result.content

_inside(uri, places) if {
	some place in places
	startswith(uri, place)
}
