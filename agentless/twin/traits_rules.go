package twin

// ruleTraits are what differs of hosts for the tests of this subject.
var ruleTraits = []trait{}
