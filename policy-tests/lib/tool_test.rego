package lib.tool_test

import data.fixture
import data.lib.tool

test_read_and_write_together_is_not_read_only if not tool.read_only with input as fixture.on("files", "x", {}, ["read", "write"])

test_an_annotation_alone_describes_a_tool_of_a_trusted_server if tool.described with input as fixture.on("files", "x", {}, [])

test_an_egress_label_alone_may_destroy if tool.destructive with input as fixture.on("elsewhere", "x", {}, ["egress"])
