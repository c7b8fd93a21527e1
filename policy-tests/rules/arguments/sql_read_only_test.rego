package rules.arguments.sql_read_only_test

import data.fixture
import data.rules.arguments.sql_read_only as rule

_refused(statement) if {
	count(rule.deny) == 1 with input as object.union(fixture.on("db", "query", {}, ["read"]), {"arguments": {"sql": statement}})
		with data.sql as {"db": {"query": "sql"}}
}

test_reading_passes[statement] if {
	some statement in [
		"select 1",
		"SELECT * FROM t WHERE updated_at > $1;",
		"  with a as (select 1) select * from a ; \n",
		"(select 1) union (select 2)",
		"explain select created_by from orders",
		"show tables",
		"values (1)",
	]
	not _refused(statement)
}

test_what_could_change_something_is_refused[statement] if {
	some statement in [
		"delete from t",
		"select 1; drop table t",
		"select 1;;drop table t",
		"with x as (delete from t returning *) select * from x",
		"WITH x AS (INSERT INTO t VALUES (1) RETURNING id) SELECT * FROM x",
		"explain analyze delete from t",
		"select * into new_t from t",
		"select 1 -- x",
		"sel/**/ect 1",
		"select 1 /*! union delete */",
		"select 1 # x",
		"select * from t for update",
		"select pg_read_file('x')",
		"select pg_terminate_backend(1)",
		"select pg_sleep(100)",
		"select nextval('s')",
		"select lo_import('x')",
		"select load_extension('x')",
		"select * from t into outfile 'x'",
		"exec xp_cmdshell 'x'",
		"copy t to program 'x'",
		"pragma writable_schema=1",
		"begin",
		"do $$ begin end $$",
		"/* x */ select 1",
		"select 'x\u0000'",
		"selectx",
		"",
	]
	_refused(statement)
}

test_what_is_not_text_is_refused[value] if {
	some value in [1, null, ["select 1"], {"x": "select 1"}]
	_refused(value)
}

test_the_reason_names_what_is_wrong if {
	some member in rule.deny with input as object.union(fixture.on("db", "query", {}, []), {"arguments": {"sql": "drop table t"}})
		with data.sql as {"db": {"query": "sql"}}
	member.message == "the statement does not start with a word that reads"
}

test_a_tool_that_data_does_not_name_is_not_its_business if {
	count(rule.deny) == 0 with input as object.union(fixture.on("db", "query", {}, []), {"arguments": {"sql": "drop table t"}})
}

test_a_list_without_arguments_is_silent if {
	listed := object.union(object.remove(fixture.on("db", "query", {}, []), ["arguments"]), {"phase": "list"})
	count(rule.deny) == 0 with input as listed with data.sql as {"db": {"query": "sql"}}
}
