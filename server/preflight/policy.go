package preflight

// Policy is the values that rules compare with, by name. A name that is missing
// has its default.
type Policy map[string]int
