package page_test

import (
	"strings"
	"time"

	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

var oldSum, newSum = strings.TrimSuffix(strings.Repeat("A1:", 32), ":"), strings.TrimSuffix(strings.Repeat("7F:", 32), ":")

// serverUntrusted is a server whose host shows another certificate than the one
// that it is known by.
func serverUntrusted(f ui.Frame) page.Server {
	s := server(f)
	s.Items[7].Href = "/profiles/corp"
	h := &s.Hosts[0]
	h.Way = []page.Item{
		{Name: "Profile", Value: "corp", Href: "/profiles/corp"},
		{Name: "Way in", Value: "NTLM over https, also TLS 1.0"},
		{Name: "Certificate", Value: "confirmed by a person on first use"},
		{Name: "Account", Value: `CORP\wavekeeper`, Note: "taken here since 2008-03-01 02:12 UTC"},
	}
	h.Refused = "Not used here: MBX01 refused it on 2008-03-14 13:40 UTC: http 401: the password is wrong. An admin sets another secret, or has it tried again."
	h.Certificates = []page.Certificate{
		{
			State: "Waits for a person", Waits: true, SHA256: newSum, Subject: "CN=mbx01.example.org", Issuer: "CN=mbx01.example.org",
			Valid: "valid from 2008-03-14 until 2010-03-14", Seen: ago(4 * time.Minute),
			Act: ui.Act{Href: "/servers/MBX01/certificates/7", Text: "Trust the new certificate …", Kind: "primary", Why: "Only an admin can do this."},
		},
		{
			State: "Known by it", SHA256: oldSum, Subject: "CN=mbx01.example.org", Issuer: "CN=mbx01.example.org",
			Valid: "valid from 2007-03-14 until 2009-03-14", Seen: ago(300 * time.Hour), Decided: "root, 1 March 2008, 02:11 UTC: compared at the console",
		},
		{
			State: "Rejected", SHA256: strings.TrimSuffix(strings.Repeat("0B:", 32), ":"), Subject: "CN=mbx01.example.org", Issuer: "CN=somebody",
			Valid: "valid from 2008-02-01 until 2009-02-01", Seen: ago(500 * time.Hour), Decided: "root, 20 February 2008, 09:11 UTC: nobody renewed it",
			Act: ui.Act{Href: "/servers/MBX01/certificates/5", Text: "Trust the rejected certificate …", Why: "Only an admin can do this."},
		},
		{State: "Known by its profile", SHA256: strings.TrimSuffix(strings.Repeat("C4:", 32), ":"), Decided: "pinned for every host of profile corp"},
	}
	return s
}

func confirmCertificate(f ui.Frame) page.Confirm {
	return page.Confirm{
		Frame: f, Crumbs: []ui.Link{{Href: "/servers", Text: "Servers"}, {Href: "/servers/MBX01", Text: "MBX01"}},
		Title: "Trust the new certificate of MBX01", Lead: "The certificate of MBX01 changed, and Setup was begun there and may run. Compare its SHA-256 on MBX01 itself first: somebody else may answer in its place. Then this goes on by itself; nothing is started a second time.",
		Field: "verdict", Rulings: []page.Ruling{
			{Value: "trust", Text: "Trust it", Kind: "primary", Hint: "I compared its SHA-256 on MBX01 itself."}, {Value: "reject", Text: "Reject it", Kind: "danger", Hint: "Nothing is sent to MBX01 while it shows it. That can be taken back."},
		},
		Rows:   []page.ConfirmRow{{Server: "MBX01", State: ui.State{Key: "out-of-sight", Note: "step setup"}, Then: "Trusted: MBX01 is asked again at once, with the account of profile corp. The upgrade goes on where it is: Setup is watched, not started."}},
		Action: "/servers/MBX01/certificates/7", Reason: "Reason, kept on record: where it was compared, or why it is rejected",
		Back: ui.Link{Href: "/servers/MBX01", Text: "Back, change nothing"}, Hidden: []page.Hidden{{Name: "sha256", Value: strings.Repeat("7f", 32)}},
		Parts: []page.ConfirmPart{
			{Title: "MBX01 shows", Sums: []page.Sum{{Name: "SHA-256", Value: newSum}}, Lines: []string{"Subject CN=mbx01.example.org", "Issuer CN=mbx01.example.org", "Valid from 2008-03-14 until 2010-03-14", "Seen 4 min ago"}},
			{Title: "MBX01 is known by", Sums: []page.Sum{{Name: "SHA-256", Value: oldSum}}},
			{
				Title: "How to compare it",
				Code:  `dir cert:\LocalMachine\My | % { $_.Subject; [BitConverter]::ToString((New-Object Security.Cryptography.SHA256Managed).ComputeHash($_.RawData)) }`,
				Lines: []string{"In PowerShell on MBX01 itself, not over the network:", "The SHA-256 that it shows must be the one above, digit by digit."},
			},
			{
				Title: "What Windows Server 2003 and 2008 show of it", Sums: []page.Sum{{Name: "Thumbprint (SHA-1)", Value: newSum[:59]}, {Name: "Serial number", Value: "3fb84a28c9e7c1a0"}},
				Lines: []string{"certutil -store my and the Certificates snap-in show these two only. They help to find the certificate there; SHA-1 can be forged, so they are never what a host is known by."},
			},
		},
	}
}

func profilesPage(f ui.Frame) page.Profiles {
	return page.Profiles{Frame: f, Rows: []page.ProfileRow{
		{Name: "corp", Href: "/profiles/corp", Way: "Kerberos over http, each message sealed", Trust: "none: http", For: "10.1.0.0/16, corp.example.org", Account: "wavekeeper@CORP.EXAMPLE.ORG", State: "refused", Bad: true, Changed: "2008-03-01 by root"},
		{Name: "default", Href: "/profiles/default", Way: "Basic over https", Trust: "checked against the system's authorities", For: "no host", Account: "–", State: "no account", Changed: "2008-02-11"},
	}}
}

func profilePage(f ui.Frame) page.Profile {
	return page.Profile{
		Frame: f, Name: "corp", Items: []page.Item{
			{Name: "Way in", Value: "Kerberos over https, also TLS 1.0"},
			{Name: "Certificates", Value: "pinned by its SHA-256"},
			{Name: "Addresses", Value: "10.1.0.0/16"},
			{Name: "Names", Value: "corp.example.org"},
			{Name: "Pin", Value: oldSum, Note: "of any of its hosts"},
			{Name: "Realm", Value: "CORP.EXAMPLE.ORG"},
			{Name: "Changed", Value: "1 March 2008, 02:10 UTC", Note: "by root"},
		},
		Accounts: []page.ProfileAccount{{
			Purpose: "Signs in to hosts", Items: []page.Item{{Name: "Account", Value: "wavekeeper@CORP.EXAMPLE.ORG"}, {Name: "Secret", Value: "keytab", Note: "version 3, never shown"}},
			Refused: []string{"All hosts that have not taken it, 14 March 2008, 13:40 UTC: kerberos: account not usable: locked"},
			Acts:    []ui.Act{{Href: "/profiles/corp/retry", Text: "Have it tried again …"}},
		}},
		History: []ui.Link{{Href: "/history?kind=profile.save", Text: "All changes of profiles"}},
	}
}

func homeRefused(f ui.Frame) page.Home {
	h := home(f)
	h.Waiting = append(h.Waiting, page.Waiting{
		State: state("warning"), Title: "Trust the new certificate of MBX01", Detail: "SHA-256 " + newSum, Href: "/servers/MBX01/certificates/7", Act: "Look and decide", Since: ago(4 * time.Minute),
	})
	h.Access = []page.AccessNotice{
		{
			Title: `The account CORP\wavekeeper of profile corp is refused: no host gets it that has not taken it`, Detail: "2008-03-14 13:40 UTC: MBX01 refused it (http 401: the password is wrong)",
			Who: "An admin sets the right secret (wavekeeper credential rotate), or has it tried again when the cause was another.", Link: ui.Link{Href: "/profiles/corp", Text: "Look at the profile"},
		},
		{
			Title: "1 host shows a certificate that nobody confirmed: MBX01", Detail: "Nothing but the TLS handshake is sent there.",
			Who: "An admin compares the SHA-256 on the host itself and trusts or rejects it.", Link: ui.Link{Href: "/servers/MBX01/certificates/7", Text: "Look at MBX01"},
		},
	}
	return h
}
