package rules.labels.folder_test

import data.fixture
import data.rules.labels.folder as rule

_labels(arguments) := labels if {
	labels := rule.label with input as fixture.with_arguments(arguments)
}

test_a_file_in_the_folder_is_marked[path] if {
	some path in ["private/salaries.csv", "private", "./private/x", "a/private/x", "PRIVATE/x", "a//Private", "/tmp/x/private/y"]
	_labels({"path": path}) == {"private"}
}

test_other_files_are_not[path] if {
	some path in ["docs/x", "privateer/x", "a/private.txt", "my private/x"]
	_labels({"path": path}) == set()
}

test_each_path_of_a_list_counts if _labels({"paths": ["docs/x", "private/y"]}) == {"private"}

test_other_servers_have_their_own_folders if {
	rule.label == set() with input as object.union(fixture.on("memory", "x", {}, []), {"arguments": {"path": "private/x"}})
}
