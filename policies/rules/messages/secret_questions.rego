# METADATA
# title: No server asks a person for a secret
# description: An elicitation whose text or form asks for a password, a key or a token is refused, as MCP itself demands.
# custom:
#   id: MESSAGES-002
#   severity: high
#   owner: security
#   remediation: let the server use URL elicitation or its own sign-in for credentials
package rules.messages.secret_questions

about := rego.metadata.chain()

deny contains {
	"message": "the server asks a person for a secret",
	"hint": "give the credential to the server by its own sign-in",
} if {
	input.phase == "message"
	input.target.kind == "elicitation"
	some word in data.messages.secret_words
	contains(_asked, word)
}

_asked := lower(json.marshal(object.filter(input.arguments, ["message", "requestedSchema"])))
