package twin

// clusterTraits are what differs of hosts for the tests of this subject.
var clusterTraits = []trait{}
