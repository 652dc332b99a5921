package windows

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func recordsOf(lines string) Records {
	var all Records
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		all = append(all, Record{name, value})
	}
	return all
}

const forest = `
here=HQ|corp.example
master=DC1.corp.example|HQ|corp.example
schema=10637
organization=10666|Contoso
domain=corp.example|CORP|10628|1
domain=child.corp.example|CHILD|error System.Runtime.InteropServices.COMException 80072030|0
domain=far.corp.example|FAR|error System.Runtime.InteropServices.COMException 8007203A|error X 8007203A
server=54|0|HQ|Version 8.0 (Build 30685.25)|MBX1
server=2|1|HQ|Version 8.1 (Build 30240.6)|CMS1
node=NODEA|CMS1
node=NODEB|CMS1
server=|||Version 6.5 (Build 7226.6: Service Pack 1)|OLD|1
server=|||Version 6.0 (Build 6249.4: Service Pack 3)|OLDER
smtp=contoso.com
smtp=SMTP:@contoso.com
smtp=smtp:%g.%s@sales.contoso.com
smtp=X400:c=US;a= ;p=Contoso;o=Exchange;
controller=1|10637|10666|10628|HQ|corp.example|DC1.corp.example
controller=0|10637|error System.Runtime.InteropServices.COMException 80072030|10628|HQ|corp.example|DC2.corp.example
controller=0|error System.Runtime.InteropServices.COMException 8007203A|error X 8007203A|error X 8007203A|BR|corp.example|DC3.corp.example
controller=0|unasked|unasked|unasked|BR|corp.example|DC4.corp.example`

func TestOrganizationIsReadFromWhatTheScriptSays(t *testing.T) {
	t.Parallel()
	o, err := organizationOf(recordsOf(forest))
	if err != nil {
		t.Fatal(err)
	}
	o.Whole, o.Replicated = true, true
	at := time.Date(2008, 3, 1, 12, 0, 0, 0, time.UTC)
	got := map[string]string{}
	for _, f := range o.Facts(at) {
		raw, err := json.Marshal(f.Value)
		if err != nil {
			t.Fatal(err)
		}
		got[f.Name] = string(raw)
	}
	want := map[string]string{
		"schema": "10637", "organization": "10666", "schema_master": `{"host":"dc1.corp.example","site":"HQ","domain":"corp.example"}`,
		"single_label":  "false",
		"exchange_2003": `[{"name":"OLD|1","version":"6.5.7226","sp2":false}]`,
		"exchange_2000": `[{"name":"OLDER","version":"6.0.6249","sp2":false}]`,
		"servers_2007":  `[{"name":"MBX1","roles":54,"serial":"Version 8.0 (Build 30685.25)","site":"HQ"},{"name":"CMS1","roles":2,"serial":"Version 8.1 (Build 30240.6)","site":"HQ"}]`,
		"cms":           `[{"name":"CMS1","kind":"CCR","nodes":["NODEA","NODEB"]}]`,
		"smtp_domains":  `["contoso.com","sales.contoso.com"]`,
		"replication":   `{"behind":["dc2.corp.example","dc3.corp.example","dc4.corp.example"],"checked_at":"2008-03-01T12:00:00Z"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if o.Domains[1].Version != 0 || o.Domains[1].Trouble != "" || o.Domains[2].Trouble == "" {
		t.Errorf("a domain without the container is at 0, one that was not reached is not known: %+v", o.Domains)
	}
}

// TestWhatWasNotAllToldIsNoFact: a list that was cut off must not be taken for
// the whole.
func TestWhatWasNotAllToldIsNoFact(t *testing.T) {
	t.Parallel()
	o, err := organizationOf(recordsOf(forest + "\nmore=server\nmore=domain\nmore=controller"))
	if err != nil {
		t.Fatal(err)
	}
	o.Whole, o.Replicated = true, true
	for _, f := range o.Facts(time.Now()) {
		switch f.Name {
		case "exchange_2003", "exchange_2000", "servers_2007", "cms", "domains", "replication", "single_label":
			t.Errorf("fact %s: %v", f.Name, f.Value)
		}
	}
}

func TestDamagedAnswersAboutTheOrganizationAreRefused(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{
		"", "master=DC1", "master=DC1|HQ|corp.example\nschema=error System.X 8007203A", "master=DC1|HQ|corp.example\nserver=x|0|HQ|V|N",
		"master=DC1|HQ|corp.example\ncontroller=1|2", "master=DC1|HQ|corp.example\norganization=error X 80070005|", "schema=1",
	} {
		if o, err := organizationOf(recordsOf(wrong)); err == nil {
			t.Errorf("%q is read as %+v", wrong, o)
		}
	}
}

func FuzzOrganization(f *testing.F) {
	f.Add(forest)
	f.Fuzz(func(t *testing.T, lines string) {
		o, err := organizationOf(recordsOf(lines))
		if err != nil {
			return
		}
		o.Whole, o.Replicated = true, true
		for _, fact := range o.Facts(time.Unix(0, 0)) {
			if _, err := json.Marshal(fact.Value); err != nil {
				t.Errorf("%s: %v", fact.Name, err)
			}
		}
	})
}
