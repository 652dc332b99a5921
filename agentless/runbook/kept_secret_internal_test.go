package runbook

import (
	"strings"
	"testing"
)

// TestKeptFilesHoldNoSecrets: what settings files are known to hold, and nothing
// else of them, is left out of what is kept.
func TestKeptFilesHoldNoSecrets(t *testing.T) {
	t.Parallel()
	const file = `<configuration>
 <appSettings><add key="LoginType" value="3"/><add key="ProxyPassword" value="hunter-two"/></appSettings>
 <connectionStrings><add name="log" connectionString="Server=sql1;User Id=x;Password=hunter-two"/></connectionStrings>
 <system.web><identity impersonate="true" userName="CORP\x" password='hunter-two'/>
  <machineKey validationKey="ABCDhunter-two" decryptionKey="AutoGenerate,IsolateApps" validation="SHA1"/></system.web>
 <Password>hunter-two</Password><MaxCalls>100</MaxCalls>
</configuration>`
	got := string(withoutSecrets(`ClientAccess\Owa\Web.Config`, []byte(file)))
	if strings.Contains(got, "hunter-two") {
		t.Errorf("a secret is kept:\n%s", got)
	}
	for _, want := range []string{`key="LoginType" value="3"`, `userName="CORP\x"`, `decryptionKey="AutoGenerate,IsolateApps"`, `validation="SHA1"`, "<MaxCalls>100</MaxCalls>", `impersonate="true"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is lost:\n%s", want, got)
		}
	}
	if differences, err := ConfigDifferences([]byte(got), []byte(got)); err != nil || len(differences) > 0 {
		t.Errorf("it is no XML any more: %v, %v", differences, err)
	}
	if page := `<input id="password" password="x">`; string(withoutSecrets(`ClientAccess\Owa\auth\logon.aspx`, []byte(page))) != page {
		t.Error("a page is changed")
	}
}
