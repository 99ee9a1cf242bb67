package stack

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// didYouMean is "; did you mean X?" for the nearest of the known names, or nothing when none is near.
func didYouMean(name string, known []string) string {
	if best := nearest(name, known); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}

// nearest is the known name with the smallest edit distance, at most a third of the letters (and at least two).
func nearest(name string, known []string) string {
	best, bestDistance := "", max(2, len(name)/3)+1
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < bestDistance && d < len(k) {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is Levenshtein's, with a swap of two neighbours counted as one edit.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 128 || len(y) > 128 {
		return max(len(x), len(y))
	}
	before, row := make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(x); i++ {
		next := make([]int, len(y)+1)
		next[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(y)]
}

// snake turns maxMemoryRestart and max-memory-restart into max_memory_restart.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case unicode.IsUpper(r) && i > 0:
			b.WriteRune('_')
			b.WriteRune(unicode.ToLower(r))
		case r == '-':
			b.WriteRune('_')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}
