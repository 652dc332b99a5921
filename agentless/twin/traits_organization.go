package twin

// organizationTraits are what differs of hosts for the tests of this subject.
var organizationTraits = []trait{}
