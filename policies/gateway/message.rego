package gateway

# METADATA
# title: May this message reach the agent?
# description: What a server sends of its own accord (notifications, sampling, elicitation, roots). Answers the decision document.
# entrypoint: true
message := data.gateway.decide.decision
