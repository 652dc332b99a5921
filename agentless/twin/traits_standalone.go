package twin

// standaloneTraits are what differs of hosts for the tests of this subject.
var standaloneTraits = []trait{}
