// Package kerberos logs an account on to Windows hosts with Kerberos 5: the
// exchanges with a KDC (RFC 4120), a cache of tickets for one account, keytabs
// and ticket caches, SPNEGO (RFC 4178), the GSS security context with mutual
// authentication, channel binding and sealed messages (RFC 4121 for AES, RFC
// 4757 for RC4, which is all that Windows Server 2003 has), and the accepting
// side for simulated hosts.
//
// jcmturner/gokrb5 is the codec and the ciphers only. Its client, service,
// keytab, credentials, config and spnego packages are not used: a goroutine for
// each client, a wrong password sent twice, no context, keys in error texts,
// panics on cut files, no mutual authentication and no sealing.
// TestPlainGokrb5 shows those, so that a better release is noticed.
//
// It knows nothing of WinRM: who owns a connection carries the tokens and
// sealed messages of a Context. It starts no goroutine that outlives a call,
// but the one that waits, for at most 15 s, for the word on a credential that was
// shown to a KDC: it must be known before the credential is shown again.
package kerberos
