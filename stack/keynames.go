package stack

import "slices"

// TopKeys are the keys of ecosystem.yaml's top level, in the order of the documentation.
func TopKeys() []string { return slices.Clone(topKeys) }

// AppKeys are the keys of an app, in the order of the documentation; name is the first.
func AppKeys() []string { return append([]string{"name"}, appKeyNames()...) }
