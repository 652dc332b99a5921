package preflight

var rules []Rule

func judge(rules []Rule, s Subject) []Finding {
	return nil
}

func compare(before, after []Finding) []Change {
	return nil
}
