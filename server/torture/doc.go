// Package torture holds the tests that try to break a rollout: coordinators
// are killed at every write to the database and at every action on a host,
// frozen past their leases, left without their database, and a model is walked
// against the whole engine. What really happened is judged by the simulated
// hosts' own journal and state, never by what a coordinator believes.
//
// A coordinator here is a process of its own: the test binary executes itself.
// `make torture` runs everything, `make test` a sample that a seed chooses; both
// print the seed.
package torture
