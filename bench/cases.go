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
		logTime(),
		logCPU("P7", "2 M lines, 194 MB, raw", false, 0.4),
		logCPU("P8", "2 M lines, 194 MB, with timestamps", true, 1.0),
		refused(),
		backAgain(),
		reloads("fork mode", 1),
		reloads("4 instances", 4),
		fairness("8 clients, 10 ms between requests", 8, pause),
		fairness("32 clients, without a pause", 32, 0),
		busyInstance(),
		startStop("start", 400),
		startStop("stop", 100),
		memoryLimit(),
		again(),
		nativeUp(),
	}
}
