# METADATA
# title: Path arguments
# description: Which arguments are paths is data (`data.paths.<server>.arguments`); a value may be one path or a list of them.
package lib.paths

_guard := data.paths[input.tool.server]

# METADATA
# title: All values of path arguments of this call
values contains value if {
	some name, _ in _guard.arguments
	value := input.arguments[name]
	not is_array(value)
}

values contains value if {
	some name, _ in _guard.arguments
	some value in input.arguments[name]
	is_array(input.arguments[name])
}

# METADATA
# title: Why a path may not be used
# description: Refuses what two programs could read in two ways, instead of guessing which reading the server has.
fault(value) := "is not text" if {
	not is_string(value)
} else := "has a part that servers read in different ways" if {
	lowered := lower(value)
	some trick in data.path_tricks
	contains(lowered, trick)
} else := "climbs with `..`" if {
	".." in split(value, "/")
} else := "starts at a home folder or a drive" if {
	startswith(value, "~")
} else := "starts at a home folder or a drive" if {
	substring(value, 1, 1) == ":"
} else := "is outside the folders that are open to you" if {
	not inside(value)
}

# METADATA
# title: Is the path inside what data opens?
# description: >-
#   A relative path is the server's own folder, where data says so. Roots come from data and from the environment's label `root.<server>`.
inside(value) if {
	not startswith(value, "/")
	_guard.relative == true
}

inside(value) if {
	some root in _guard.roots
	under(value, root)
}

inside(value) if under(value, input.environment.labels[concat(".", ["root", input.tool.server])])

# METADATA
# title: Is the path the root or below it?
under(value, root) if value == trim_right(root, "/")

under(value, root) if startswith(value, concat("", [trim_right(root, "/"), "/"]))
