package gateway

# METADATA
# title: May this call go on?
# description: Everything that an agent sends, before it goes to a server. Answers the decision document.
# entrypoint: true
call := data.gateway.decide.decision
