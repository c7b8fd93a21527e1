package rules.limits.rate_test

import data.fixture
import data.rules.limits.rate as rule

_limits := {"user": {"calls_1m": 10, "calls_1h": 100}, "service": {"calls_1m": 50, "calls_1h": 500}}

_used(kind, minute, hour) := object.union(fixture.call, {"identity": {"kind": kind}, "usage": {"calls_1m": minute, "calls_1h": hour}})

test_below_the_limit_passes if count(rule.deny) == 0 with input as _used("user", 9, 99) with data.limits.rate as _limits

test_a_full_minute_is_refused if count(rule.deny) == 1 with input as _used("user", 10, 50) with data.limits.rate as _limits

test_a_full_hour_is_refused if count(rule.deny) == 1 with input as _used("user", 1, 100) with data.limits.rate as _limits

test_services_have_their_own_limit if count(rule.deny) == 0 with input as _used("service", 10, 100) with data.limits.rate as _limits
