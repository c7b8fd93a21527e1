# METADATA
# title: Where a server may send a person
# description: >-
#   An elicitation by URL opens an address in the person's browser. Only hosts that `data.servers.<server>.question_hosts` names, and only
#   over HTTPS. A host is compared as it is written, port included.
# custom:
#   id: MESSAGES-003
#   severity: high
#   owner: security
#   remediation: add the host to question_hosts of the server in data.servers
package rules.messages.url_questions

about := rego.metadata.chain()

deny contains {
	"message": "the server sends a person to an address that is not known",
	"hint": "ask for the server's sign-in to be added",
} if {
	input.phase == "message"
	input.request.method == "elicitation/create"
	input.arguments.mode == "url"
	not _known
}

_known if {
	startswith(input.arguments.url, "https://")
	host := split(trim_prefix(input.arguments.url, "https://"), "/")[0]
	data.servers[input.target.server].question_hosts[host] == true
}
