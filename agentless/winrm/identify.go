package winrm

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// OSVersion is a Windows version such as 5.2.3790 (Windows Server 2003) or
// 6.0.6002 (2008 SP2). The zero value is unknown: hosts may hide it.
type OSVersion struct{ Major, Minor, Build int }

// Known reports whether the host told its version.
func (v OSVersion) Known() bool { return v.Major > 0 }

// Before reports whether v is known and older than major.minor.
func (v OSVersion) Before(major, minor int) bool {
	return v.Known() && (v.Major < major || v.Major == major && v.Minor < minor)
}

// String is the dotted form.
func (v OSVersion) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Build) }

// Identity is what a host says of itself in answer to Identify.
type Identity struct {
	Vendor      string // such as "Microsoft Corporation"
	Version     string // the whole ProductVersion
	OS          OSVersion
	ServicePack string // such as "2.0"
	Stack       string // WinRM's version such as "1.1" or "2.0"
	StackMajor  int
}

// CodePage is the code page to ask a shell for: 65001 makes batch files
// silently do nothing on Windows before 6.1, so those, and hosts that do not
// tell, get 437 (WinRb/WinRM pull request 182).
func (i Identity) CodePage() int {
	if !i.OS.Known() || i.OS.Before(6, 1) {
		return 437
	}
	return 65001
}

// Identify asks with credentials; a wrong password shows here, and hosts of
// WinRM 2.0 and later tell their Windows version only so.
func (c *Conn) Identify(ctx context.Context) (Identity, error) {
	id, err := c.identify(ctx, true)
	if err != nil {
		return Identity{}, fmt.Errorf("identify %s: %w", c.cfg.Address, err)
	}
	c.mu.Lock()
	c.identity = &id
	c.mu.Unlock()
	return id, nil
}

// Identity is what the host said of itself when it was asked last on this
// connection; it is asked when it never was. A host that is there but does not
// answer Identify with an identity is treated as one that hides its version;
// whether it takes a shell shows next.
func (c *Conn) Identity(ctx context.Context) (Identity, error) {
	c.mu.Lock()
	known := c.identity
	c.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	id, err := c.Identify(ctx)
	if err != nil && Outcome(err) != OutcomeFault && !errors.Is(err, errBroken) {
		return Identity{}, err
	}
	return id, nil
}

// IdentifyAnonymous asks without credentials: no logon, no quota. The cheapest
// sign of life.
func (c *Conn) IdentifyAnonymous(ctx context.Context) (Identity, error) {
	id, err := c.identify(ctx, false)
	if err != nil {
		return Identity{}, fmt.Errorf("identify %s without credentials: %w", c.cfg.Address, err)
	}
	return id, nil
}

const identifyEnvelope = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>`

func (c *Conn) identify(ctx context.Context, credentials bool) (Identity, error) {
	var id Identity
	_, err := c.exchange(call{transport: c.transport, ctx: ctx, anonymous: !credentials, take: func(answer *node) error {
		found := answer.child("Body").child("IdentifyResponse")
		if found == nil {
			return fmt.Errorf("%w: no IdentifyResponse", errAnswer)
		}
		id = identityOf(found.child("ProductVendor").brief(), found.child("ProductVersion").brief())
		return nil
	}}, identifyEnvelope)
	return id, err
}

var versionPart = regexp.MustCompile(`\b(OS|SP|Stack):\s*([0-9.]+)`)

// identityOf reads "OS: 5.2.3790 SP: 2.0 Stack: 2.0"; the labels are tokens,
// not language.
func identityOf(vendor, version string) Identity {
	id := Identity{Vendor: vendor, Version: version}
	for _, m := range versionPart.FindAllStringSubmatch(version, -1) {
		numbers := strings.Split(m[2], ".")
		at := func(i int) int {
			if i >= len(numbers) {
				return 0
			}
			n, err := strconv.ParseUint(numbers[i], 10, 31)
			if err != nil {
				return 0
			}
			return int(n)
		}
		switch m[1] {
		case "OS":
			id.OS = OSVersion{at(0), at(1), at(2)}
		case "SP":
			id.ServicePack = m[2]
		case "Stack":
			id.Stack, id.StackMajor = m[2], at(0)
		}
	}
	return id
}
