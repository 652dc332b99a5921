// Package ntlm is NTLMv2 with signing and sealing (MS-NLMP), both sides: the
// client that logs on to a host, and the server that the twin and tests need. It
// knows one form only: Unicode, NTLMv2, extended session security, 128 bit, key
// exchange, signing and sealing. A host that offers less is refused before any
// proof of the password is sent.
//
// It must not know of HTTP, connections or accounts that were refused. Tokens and
// NT hashes are as good as passwords: they belong in no log.
package ntlm
