package stack_test

import (
	"context"

	"testing"

	"devstack/stack"
)

func TestSample(t *testing.T) {
	_, err := stack.Load(context.Background(), stack.Options{File: "../ecosystem.yaml", Environment: []string{"PATH=/bin"}})
	if err != nil {
		t.Fatal(err)
	}

}
