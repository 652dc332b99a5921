// Package demo carries the demonstration's fleet. It must not know the program.
package demo

import _ "embed"

// Fleet is the inventory of the simulated fleet: 12 servers in two AD sites,
// every role alone and two servers with two roles.
//
//go:embed fleet-12.csv
var Fleet []byte
