package rules.arguments.path_test

import data.fixture
import data.rules.arguments.path as rule

_refused(arguments) if {
	count(rule.deny) > 0 with input as fixture.with_arguments(arguments)
		with data.paths as {"files": {"arguments": {"path": true, "paths": true}, "roots": ["/srv/work/", "/data"], "relative": true}}
}

test_a_path_inside_passes[path] if {
	some path in ["docs/plan.md", ".", "a/b/c", "/srv/work", "/srv/work/x", "/data", "/data/x", "notes..txt", "a/...b", "", "50% off.txt"]
	not _refused({"path": path})
}

test_a_path_that_leaves_is_refused[path] if {
	some path in [
		"..", "../x", "a/../../x", "a/..", "/srv/work/../x", "/etc/passwd", "/", "//srv/work/x", "/srv/workshop/x", "/srv/./work/x",
		"~", "~/x", "~root/x", "C:/x", "c:\\x", "\\\\host\\share", "..\\x",
		"%2e%2e/x", "%2E%2E%2Fx", "a%5c..", "%252e%252e/x", "x%00.md", "x\u0000.md", "file:///etc/passwd",
		"．．/x", "..／x", "a∕..", "․․/x",
	]
	_refused({"path": path})
}

test_each_path_of_a_list_is_judged if {
	not _refused({"paths": ["a", "b"]})
	_refused({"paths": ["a", "../b"]})
}

test_what_is_not_text_is_refused[value] if {
	some value in [1, true, {"x": "y"}, null, [["x"]]]
	_refused({"path": value})
}

test_other_arguments_are_not_its_business if not _refused({"content": "../x"})

test_other_servers_are_not_its_business if {
	count(rule.deny) == 0 with input as object.union(fixture.on("memory", "search_nodes", {}, []), {"arguments": {"path": "/etc"}})
}

test_the_environment_can_open_a_folder if {
	opened := object.union(fixture.with_arguments({"path": "/tmp/scratch/x"}), {"environment": {"labels": {"root.files": "/tmp/scratch"}}})
	count(rule.deny) == 0 with input as opened
	count(rule.deny) == 1 with input as object.union(opened, {"arguments": {"path": "/tmp/scratched"}})
}

test_relative_paths_can_be_closed if {
	count(rule.deny) == 1 with input as fixture.call with data.paths.files.relative as false
}

test_a_list_without_arguments_is_silent if {
	count(rule.deny) == 0 with input as object.union(object.remove(fixture.call, ["arguments"]), {"phase": "list"})
}
