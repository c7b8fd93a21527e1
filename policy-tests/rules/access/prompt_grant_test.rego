package rules.access.prompt_grant_test

import data.fixture
import data.rules.access.prompt_grant as rule

_grants := {
	"support": {"wiki": {"prompts": {"summary": true}}},
	"engineering": {"wiki": {"prompts": {"*": true}, "completion": true}},
}

_allowed(kind, name, group) if {
	count(rule.allow) == 1 with input as fixture.about(kind, "wiki", name, "any")
		with data.grants as _grants
		with input.identity.groups as [group]
}

test_a_named_prompt_is_granted if _allowed("prompt", "summary", "support")

test_another_prompt_is_not_granted if not _allowed("prompt", "report", "support")

test_a_star_grants_all_prompts if _allowed("prompt", "report", "engineering")

test_completion_is_granted_by_itself if _allowed("completion", "summary", "engineering")

test_a_prompt_grant_is_no_completion_grant if not _allowed("completion", "summary", "support")

test_a_prompt_grant_is_no_tool_grant if not _allowed("tool", "summary", "engineering")
