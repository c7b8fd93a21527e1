# METADATA
# title: Grants
# description: What the groups of the identity were given, `data.grants.<group>.<server>`, for the server that the call is about.
package lib.grants

# METADATA
# title: The grants of this identity on this server
here contains grant if {
	some group in input.identity.groups
	grant := data.grants[group][input.target.server]
}
