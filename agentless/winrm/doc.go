// Package winrm is the wire to one Windows host: WS-Management over HTTP, as
// Windows Remote Management 1.1 and 2.0 speak it. It opens shells, runs
// commands, asks WMI and calls WMI methods, and it is the only package that
// imports masterzen/winrm, whose messages it uses and whose transport, deadlines,
// fault handling and answer parsing it replaces.
//
// It must not know what a service, a file, a registry key or Exchange is
// (package windows turns answers into nouns), and it never decides on a text
// that a host wrote: only on HTTP status, SOAP codes and WSMan fault codes,
// because hosts answer in their own language.
//
// Connections are its own (lane): Basic, NTLM, Kerberos and client certificates
// differ in the login only; TLS decides by authorities or by pins. Over http,
// messages of NTLM and Kerberos are sealed, and nothing that came unsealed is
// believed: not the status around a sealed answer, and not the 200 to a login, which
// counts when the first sealed answer opens (account_proof.go).
//
// An Account keeps a wrong password from locking somebody's account. A proof of one
// that is not known to be right goes to one host at a time, over all hosts of the
// process, and the next only when it was judged; for 30 s after a host took it, to
// four. One refusal closes the hosts that have not taken it, two by hosts that had
// taken it close all. A proof that is answered by neither yes nor no counts half;
// hosts that took the password are then asked again after a pause (account_gate.go).
//
// A shell is kept between commands, for 20 s and ten commands; a host and an
// account have two at most, over all connections of the process. What fails or is
// cancelled is ended in the background, within 5 s; a call whose context ends is
// over within a second. A caller that keeps
// connections calls Sweep every few seconds; Close ends what a connection keeps.
// A command whose outcome is unknown is never sent again.
//
// Every answer is hostile input. Limits: 4 MB for one HTTP answer, 16 MB for
// one operation of several answers (a command's output, an enumeration), 64
// levels of XML, 100,000 elements and 64 attributes per element, 100,000 items
// and 4,096 parts of an enumeration; no DTD and no entities but the five of
// XML. Hosts are asked for envelopes of at most 150 KB, the default of WinRM
// 1.1 and 2.0 (MS-WSMV 2.2.4.10).
package winrm
