package winrm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const query = `SELECT Name FROM Win32_Service WHERE Name < 'a' AND Name <> "]]>&"`

func TestAQueryIsSentAsHostsUnderstandIt(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t).on("Enumerate", answer(200, soapBody(`<n:EnumerateResponse><n:EnumerationContext/><w:Items/><w:EndOfSequence/></n:EnumerateResponse>`)))
	got, err := h.dial(t).Enumerate(withDeadline(t, 5*time.Second), "root/cimv2", query)
	if err != nil || len(got) != 0 {
		t.Fatalf("%v, %v", got, err)
	}
	sent := h.last(t, "Enumerate").envelope
	f := fieldsOf(sent)
	if f.Action != "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate" ||
		f.Resource != "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/*" || f.Envelope != "153600" {
		t.Errorf("sent %+v", f)
	}
	filter := sent.find("Filter")
	if filter.text != query || filter.attr("Dialect") != wqlDialect || sent.find("OptimizeEnumeration") == nil {
		t.Errorf("sent the filter %q (%s)", filter.text, filter.attr("Dialect"))
	}
	header := sent.child("Header")
	for _, name := range []string{"To", "ReplyTo", "MessageID", "OperationTimeout", "Locale"} {
		if header.child(name) == nil {
			t.Errorf("sent no %s", name)
		}
	}
}

func TestPullAsksAgainAfterTheHostsTimeLimitAndKeepsTheNewContext(t *testing.T) {
	t.Parallel()
	item := func(i int) string { return fmt.Sprintf(`<w:XmlFragment><Name>%d</Name></w:XmlFragment>`, i) }
	h := newFakeHost(t).
		on("Enumerate", answer(200, soapBody(`<n:EnumerateResponse><n:EnumerationContext>uuid:1</n:EnumerationContext><w:Items>`+item(1)+`</w:Items></n:EnumerateResponse>`))).
		on("Pull", inTurn(
			answer(500, soapFault("Receiver", "TimedOut", CodeTimedOut)),
			answer(200, soapBody(`<n:PullResponse><n:EnumerationContext>uuid:2</n:EnumerationContext><n:Items>`+item(2)+`</n:Items></n:PullResponse>`)),
			answer(200, soapBody(`<n:PullResponse><n:Items>`+item(3)+`</n:Items><n:EndOfSequence/></n:PullResponse>`)),
		))
	got, err := h.dial(t).Enumerate(withDeadline(t, 5*time.Second), "root/cimv2", query)
	if err != nil || len(got) != 3 || got[2].Str("Name") != "3" {
		t.Fatalf("%v, %v", got, err)
	}
	if last := h.last(t, "Pull").envelope.find("EnumerationContext").words(); last != "uuid:2" {
		t.Errorf("last Pull of context %s, want uuid:2", last)
	}
}

func TestAnEndlessEnumerationIsGivenUpAndReleased(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t).
		on("Enumerate", answer(200, soapBody(`<n:EnumerateResponse><n:EnumerationContext>uuid:1</n:EnumerationContext></n:EnumerateResponse>`))).
		on("Pull", answer(200, soapBody(`<n:PullResponse><n:EnumerationContext>uuid:1</n:EnumerationContext><n:Items/></n:PullResponse>`))).
		on("Release", answer(200, soapBody("")))
	_, err := h.dial(t).Enumerate(withDeadline(t, 5*time.Second), "root/cimv2", query)
	if !errors.As(err, new(*TooMuch)) || Outcome(err) != OutcomeFault || h.count("Release") != 1 || h.count("Pull") > maxEmpty {
		t.Errorf("%v after %d Pulls and %d Releases", err, h.count("Pull"), h.count("Release"))
	}
}

func TestACancelledEnumerationIsReleased(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	h := newFakeHost(t).
		on("Enumerate", answer(200, soapBody(`<n:EnumerateResponse><n:EnumerationContext>uuid:1</n:EnumerationContext></n:EnumerateResponse>`))).
		on("Pull", func(w http.ResponseWriter, r *http.Request, n int) {
			cancel()
			hang(w, r, n)
		}).
		on("Release", answer(200, soapBody("")))
	began := time.Now()
	_, err := h.dial(t).Enumerate(ctx, "root/cimv2", query)
	if Outcome(err) != OutcomeTimeout || h.count("Release") != 1 || time.Since(began) > time.Second {
		t.Errorf("%v after %s, requests %q", err, time.Since(began), h.actions())
	}
}

func TestRecordedQueryFaultOfWinRM11(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(corpus(t, "winrm-records"), "32-fault-wql-winrm-1.1-2150858778.response.xml"))
	if err != nil {
		t.Skipf("no record of WinRM 1.1: %v", err)
	}
	h := newFakeHost(t).on("Enumerate", answer(500, string(data)))
	_, err = h.dial(t).Enumerate(withDeadline(t, 5*time.Second), "root/cimv2", query)
	if code, _ := FaultCode(err); code != CodeFilter || !strings.Contains(err.Error(), "(CannotProcessFilter)") {
		t.Errorf("%v, want fault %d", err, CodeFilter)
	}
}

func TestAMethodCallCarriesItsInputAndGivesItsOutput(t *testing.T) {
	t.Parallel()
	h := newFakeHost(t).on("EnumValues", answer(200, soapBody(`<p:EnumValues_OUTPUT xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/default/StdRegProv" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">`+
		`<p:sNames>A</p:sNames><p:sNames>B &amp; C</p:sNames><p:Types>1</p:Types><p:Types>4</p:Types><p:x xsi:nil="true"/><p:ReturnValue>0</p:ReturnValue></p:EnumValues_OUTPUT>`)))
	got, err := h.dial(t).Invoke(withDeadline(t, 5*time.Second), "root/default/StdRegProv", map[string]string{"__cimnamespace": "root/default"}, "EnumValues",
		[]Param{In("hDefKey", "2147483650"), In("sSubKeyName", `SOFTWARE\<&>`), In("uValue", "1", "2", "3"), In("nothing")})
	if err != nil {
		t.Fatal(err)
	}
	sent := h.last(t, "EnumValues").envelope
	f := fieldsOf(sent)
	if f.Action != wmiRoot+"root/default/StdRegProv/EnumValues" || f.Resource != wmiRoot+"root/default/StdRegProv" || f.Selectors["__cimnamespace"] != "root/default" {
		t.Errorf("sent %+v", f)
	}
	input := sent.child("Body").kids[0]
	want := Instance{"hDefKey": {{Text: "2147483650"}}, "sSubKeyName": {{Text: `SOFTWARE\<&>`}}, "uValue": {{Text: "1"}, {Text: "2"}, {Text: "3"}}, "nothing": {{Nil: true}}}
	if diff := cmp.Diff(instanceOf(input), want); diff != "" || input.name.Space != f.Resource || input.name.Local != "EnumValues_INPUT" {
		t.Errorf("input %v (-), want (+):\n%s", input.name, diff)
	}
	if diff := cmp.Diff(got.Strings("snames"), []string{"A", "B & C"}); diff != "" || got.Has("x") {
		t.Errorf("output %v:\n%s", got, diff)
	}
	if code, ok := got.Int("ReturnValue"); code != 0 || !ok {
		t.Errorf("ReturnValue = %d, %v", code, ok)
	}
	for _, bad := range []string{"", "a b", "1a", "a:b", "ä"} {
		if _, err := h.dial(t).Invoke(context.Background(), "root/default/StdRegProv", nil, bad, nil); Outcome(err) != OutcomeRefused {
			t.Errorf("method %q: %v, want refused", bad, err)
		}
	}
}

func TestValuesOfAllForms(t *testing.T) {
	t.Parallel()
	n, err := parse([]byte(`<p:X xmlns:p="x" xmlns:c="c"><p:D><c:Datetime>2013-03-09T03:06:25Z</c:Datetime></p:D><p:W>20130309050625.500000+120</p:W>` +
		`<p:Big>18446744073709551615</p:Big><p:Neg>-1</p:Neg><p:E><p:Inner>v</p:Inner></p:E><p:Yes>TRUE</p:Yes><p:Space> a </p:Space><p:Empty/></p:X>`))
	if err != nil {
		t.Fatal(err)
	}
	i := instanceOf(n)
	for name, want := range map[string]string{"D": "2013-03-09T03:06:25Z", "W": "2013-03-09T03:06:25.5Z"} {
		if got, ok := i.Time(name); !ok || got.Format(time.RFC3339Nano) != want {
			t.Errorf("Time(%s) = %v, %v, want %s", name, got, ok, want)
		}
	}
	if u, ok := i.Uint("Big"); u != 1<<64-1 || !ok {
		t.Errorf("Uint(Big) = %d, %v", u, ok)
	}
	if n, ok := i.Int("Neg"); n != -1 || !ok {
		t.Errorf("Int(Neg) = %d, %v", n, ok)
	}
	if v, ok := i.Bool("Yes"); !v || !ok {
		t.Errorf("Bool(Yes) = %v, %v", v, ok)
	}
	if got := i.Values("E"); len(got) != 1 || got[0].Inner.Str("Inner") != "v" {
		t.Errorf("E = %v", got)
	}
	if got := i.Str("Space"); got != " a " {
		t.Errorf("Str(Space) = %q", got)
	}
	if !i.Has("Empty") || i.Has("absent") {
		t.Error("an empty value is there, an absent one is not")
	}
	if _, ok := i.Time("Neg"); ok {
		t.Error("-1 is no time")
	}
}
