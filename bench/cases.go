package main

// cases are the budgets of docs/performance.md, in order. The factors are the budgets themselves.
func cases() []benchCase {
	return []benchCase{
		coldStart(),
		containersUp("P2", "redis and postgres, existing volume: SELECT 1 and PING answer", false, 1.25),
		containersUp("P3", "redis and postgres, fresh volume", true, 1.15),
		list(6, 8),
		list(200, 12),
		memory(6, 30),
		memory(200, 42),
		idle(),
		again(),
	}
}
