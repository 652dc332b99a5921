// Package demo carries the demonstration's fleet. It must not know the program.
package demo

import _ "embed"

// Fleet is the inventory of the simulated fleet: 12 servers in two AD sites,
// every role alone and two servers with two roles. Headquarters is reached by
// sealed NTLM, its edge server over TLS 1.0 by its pin, the branch by Basic over
// https; fleet-12.csv is the same fleet by Basic over http.
//
//go:embed fleet-ways.csv
var Fleet []byte
