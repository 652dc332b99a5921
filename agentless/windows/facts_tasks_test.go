package windows

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lines makes records of lines "name=value".
func lines(all ...string) (r Records) {
	for _, line := range all {
		name, value, _ := strings.Cut(line, "=")
		r = append(r, Record{name, value})
	}
	return r
}

func TestWhatExchangeLookSaysBecomesFacts(t *testing.T) {
	t.Parallel()
	at := time.Date(2010, 8, 2, 12, 0, 0, 0, time.UTC)
	const ticks = "634163040000000000" // 2010-08-02T00:00:00Z
	for _, c := range []struct {
		words, fact, want string
		records           Records
	}{
		{"a connector", "receive_connectors", `[{"name":"A|B","fqdn":"","auth":["Tls","ExchangeServer"],"bindings":["0.0.0.0:25","[::]:25"]}]`, lines("connector=|Tls, ExchangeServer|0.0.0.0:25 [::]:25|A|B", "asked=connectors|X")},
		{"no connector", "receive_connectors", `[]`, lines("asked=connectors|X")},
		{"a certificate for nothing", "certificates", `[{"thumbprint":"A1","subject":"CN=a, O=b|c","services":[],"not_after":"2010-08-02T00:00:00Z","self_signed":false,"names":["a.b"],"private_key":true}]`, lines("certificate=A1|None|"+ticks+"|False|True|a.b|CN=a, O=b|c", "asked=certificates|X")},
		{"an agent whose file is gone", "transport_agents", `[{"name":"G","enabled":true,"priority":3,"assembly":"C:\\g.dll","microsoft":false}]`, lines(`agent=True|3||C:\g.dll|G`, "asked=agents|X")},
		{"Microsoft's agent", "transport_agents", `[{"name":"G","enabled":false,"priority":1,"assembly":"m.dll","microsoft":true}]`, lines(`agent=False|1|Microsoft Corporation|m.dll|G`, "asked=agents|X")},
		{"POP3 of SP1", "pop3", `{"login_type":"SecureLogin","service_start":"Manual"}`, lines("pop=SecureLogin", "imap=PlainTextLogin", "asked=pop|X")},
		{"POP3 of RTM, which has no cmdlet", "pop3", `{"login_type":"","service_start":"Manual"}`, lines("failed=pop|X|System.Management.Automation.CommandNotFoundException 80131501")},
		{"a database that was never backed up", "backups", `[{"database":"S\\G\\D","last_full":"","running":null}]`, lines(`database=m||||S\G\D`, "asked=databases|X")},
		{"a database whose backup runs", "backups", `[{"database":"S\\G\\D","last_full":"2010-08-02T00:00:00Z","running":true},{"database":"S\\G\\E","last_full":"","running":false}]`, lines(`database=m|True|True|`+ticks+`|S\G\D`, `database=m|True|False||S\G\E`, "asked=databases|X")},
		{"a backup state of another word", "backups", `[{"database":"S\\G\\D","last_full":"2010-08-02T00:00:00Z","running":null}]`, lines(`database=m|True|Wahr|`+ticks+`|S\G\D`, "asked=databases|X")},
		{"a public folder database", "databases", `[{"name":"S\\G\\P","public":true,"mounted":true}]`, lines(`database=p|True|False|`+ticks+`|S\G\P`, "asked=databases|X")},
		{"address books", "oab", `{"generates":["Mine"],"orphaned":["Old","Older"]}`, lines("book=x|CN=X|Mine", "book=y|CN=Y|Other", "book=||Old", `book=z DEL:1|CN=Z,CN=Deleted Objects,CN=Configuration|Older`, "asked=books|X")},
		{"domains, once each", "smtp_domains", `["a.com","b.com"]`, lines("domain=*.a.com", "domain=A.com", "template=SMTP:%m@b.com", "template=X400:c=US;", "asked=domains|X")},
		{"queues", "queues", `{"submission":3,"total":8}`, lines(`queue=3|X\Submission`, `queue=5|X\7`, `queue=700|X\Poison`, "asked=queues|X")},
		{"static controllers", "static_dc", `{"config":"dc1","controllers":["dc1","dc2"]}`, lines("controllers=dc1|dc1 dc2", "asked=controllers|X")},
		{"UM, with its own dial plans only", "um", `{"status":"Enabled","languages":["en-US","de-DE"],"calls":2,"default_languages":{"Main Plan":"de-DE"}}`, lines("um=Enabled|en-US de-DE|Main_Plan", "plan=de-DE|Main Plan", "plan=fr-FR|Other", "calls=2", "asked=um|X")},
	} {
		l := ReadExchangeLook(c.records, []string{"X"}, map[string]string{"msexchangepop3": "Manual"}, at)
		i := slices.IndexFunc(l.Facts, func(f Fact) bool { return f.Name == c.fact })
		if i < 0 {
			t.Errorf("%s: no fact; failed: %v", c.words, l.Failed)
			continue
		}
		got, err := json.Marshal(l.Facts[i].Value)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Errorf("%s:\n%s", c.words, diff)
		}
	}
}

// TestAPartThatFailsTakesNoOtherWithIt, and nothing of it is believed.
func TestAPartThatFailsTakesNoOtherWithIt(t *testing.T) {
	t.Parallel()
	l := ReadExchangeLook(lines(
		"connector=a|b|c|d", "failed=connectors|X|System.Exception 80131500", "asked=queues|X", `queue=1|X\Submission`,
		"asked=certificates|X", "certificate=A1|None|soon|False|True||CN=a", "asked=um|X", "um=Enabled",
	), []string{"X"}, nil, time.Now())
	var names []string
	for _, f := range l.Facts {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"queues"}, names); diff != "" {
		t.Errorf("facts:\n%s", diff)
	}
	if failed := slices.Sorted(maps.Keys(l.Failed)); !slices.Equal(failed, []string{"certificates", "connectors", "um"}) {
		t.Errorf("failed: %v", l.Failed)
	}
	if l.Failed["connectors"] != "System.Exception 80131500" {
		t.Errorf("why: %q", l.Failed["connectors"])
	}
}

func TestPartsGoByRole(t *testing.T) {
	t.Parallel()
	for roles, want := range map[string]string{
		"EdgeTransport":    "connectors certificates agents levels queues",
		"Mailbox":          "certificates databases books domains levels controllers",
		"UnifiedMessaging": "certificates um domains levels controllers",
		"ClientAccess":     "certificates pop books domains levels controllers",
	} {
		if got := strings.Join(ExchangeParts(strings.Fields(roles)), " "); got != want {
			t.Errorf("%s: %s, want %s", roles, got, want)
		}
	}
}

// FuzzExchangeLook: a host's answer is hostile input.
func FuzzExchangeLook(f *testing.F) {
	f.Add("certificate", "A1|None|soon|False|True||CN=a")
	f.Add("um", "|||")
	f.Add("failed", "")
	f.Fuzz(func(_ *testing.T, name, value string) {
		r := Records{{name, value}}
		for _, part := range exchangeParts {
			r = append(r, Record{"asked", part + "|X"})
		}
		ReadExchangeLook(r, []string{"X"}, nil, time.Time{})
	})
}
