package prod

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var heapFlag = regexp.MustCompile(`--max[-_]old[-_]space[-_]size[= ](\d+)`)

// memory gives Node.js three quarters of the limit as heap: by itself it would take about half, and what it frees late
// would meet the kernel's limit, which kills without a word; its own limit ends with a readable error.
func (a *account) memory() {
	limit := a.app.MaxMemory
	if limit == 0 {
		limit = DefaultMemory
	}
	a.w.Memory = Memory{Limit: limit, Reservation: limit}
	if !a.w.HasNode() {
		return
	}
	mebibytes := int(limit >> 20)
	options, hidden := a.variable("NODE_OPTIONS")
	if given := heapFlag.FindStringSubmatch(strings.Join(a.w.Command, " ") + " " + options); given != nil {
		heap, err := strconv.Atoi(given[1])
		if err != nil || heap > mebibytes*85/100 {
			a.refuse(AppSubject(a.app.Name), "max_memory_restart", "Node's heap of "+given[1]+" MiB leaves no room in a limit of "+strconv.Itoa(mebibytes)+" MiB for what is not heap",
				"at most 85 %; without --max-old-space-size it is 75 %")
		}
		a.w.Memory.HeapMiB = heap
		return
	}
	if hidden {
		return
	}
	a.w.Memory.HeapMiB = mebibytes * 3 / 4
	flag := "--max-old-space-size=" + strconv.Itoa(a.w.Memory.HeapMiB)
	if options != "" {
		flag = options + " " + flag
	}
	a.w.Config = slices.DeleteFunc(a.w.Config, func(v Variable) bool { return v.Name == "NODE_OPTIONS" })
	a.w.Config = append(a.w.Config, Variable{Name: "NODE_OPTIONS", Value: flag})
	sortVariables(a.w.Config)
}

// variable is a plain value; hidden says that it is a secret.
func (a *account) variable(name string) (value string, hidden bool) {
	for _, v := range a.w.Config {
		if v.Name == name {
			return v.Value, false
		}
	}
	return "", slices.ContainsFunc(a.w.Secrets, func(s Secret) bool { return s.Name == name })
}
