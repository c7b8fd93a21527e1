# METADATA
# title: What kind of tool this is
# description: >-
#   Labels are ours (configuration or lockfile) and decide. Annotations are the server's own claim: that a tool is harmless is believed
#   only where data trusts the server and the definition is the pinned one; that it is destructive is always believed.
package lib.tool

_labels := input.tool.labels

_annotations_trusted if {
	input.tool.pinned == true
	data.servers[input.tool.server].trust_annotations == true
}

_acts if "write" in _labels

_acts if "destructive" in _labels

_acts if "egress" in _labels

_harmless_by_label if "write" in _labels

_harmless_by_label if "read" in _labels

_harmless_by_annotation if {
	input.tool.annotations.readOnlyHint == true
	_annotations_trusted
}

_harmless_by_annotation if {
	input.tool.annotations.destructiveHint == false
	_annotations_trusted
}

# METADATA
# title: Does it only read?
# description: A tool that sends data out is not read-only, whatever else it is.
read_only if {
	"read" in _labels
	not _acts
}

read_only if {
	input.tool.annotations.readOnlyHint == true
	_annotations_trusted
	not _acts
}

# METADATA
# title: May it destroy something?
# description: Where nobody says anything, it may; that is also MCP's own default.
destructive if "destructive" in _labels

destructive if {
	not _harmless_by_label
	not _harmless_by_annotation
}

# METADATA
# title: Has somebody said what it does?
described if count(_labels) > 0

described if _annotations_trusted
