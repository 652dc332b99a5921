// Package windows is a Windows host in nouns: operating system, registry,
// services, hotfixes, disks, processes, files, host tasks, restart. It knows
// the wire (agentless/winrm) and Windows; it must not know plans, rollouts or
// what an upgrade is. Every answer of a host is decided by codes and tokens,
// never by text that Windows translates.
package windows

// Host is one Windows machine. It holds no state of the machine: every method
// asks.
type Host struct{}
