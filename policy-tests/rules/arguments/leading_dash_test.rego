package rules.arguments.leading_dash_test

import data.fixture
import data.rules.arguments.leading_dash as rule

_refused(arguments, guarded) if {
	count(rule.deny) > 0 with input as fixture.with_arguments(arguments) with data.leading_dash as {"files": guarded}
}

test_a_dash_is_refused[value] if {
	some value in ["-rf", "--output=x", " -x", "\t-x", ["a", "-b"]]
	_refused({"path": value}, {"path": true})
}

test_a_dash_elsewhere_passes[value] if {
	some value in ["a-b", "./-rf", "", ["a", "b-c"], 5, [5], {"x": "-y"}]
	not _refused({"path": value}, {"path": true})
}

test_only_named_arguments_are_judged if not _refused({"content": "- a list"}, {"path": true})

test_a_star_names_all if _refused({"ref": "--upload-pack=x"}, {"*": true})

test_another_server_is_not_its_business if {
	count(rule.deny) == 0 with input as object.union(fixture.on("memory", "search_nodes", {}, []), {"arguments": {"path": "-x"}})
}
