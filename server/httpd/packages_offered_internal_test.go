package httpd

import (
	"strings"
	"testing"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/store"
	"wavekeeper/web/ui"
)

func TestPackagesAreOfferedServicePacksFirst(t *testing.T) {
	t.Parallel()
	var names []string
	for _, p := range packagesOffered() {
		names = append(names, p.Name)
	}
	got := strings.Join(names, " ")
	if !strings.HasPrefix(got, "sp1 sp2 sp3 sp3-") || !strings.HasPrefix(names[len(names)-1], "rtm-") || len(names) != len(exchange.Packages()) {
		t.Errorf("offered are %s", got)
	}
}

func TestABuildThatWasReadStandsBeforeTheImportedOne(t *testing.T) {
	t.Parallel()
	imported, err := exchange.ParseBuild("8.0.685.25")
	if err != nil {
		t.Fatal(err)
	}
	read, err := exchange.ParseBuild("8.1.240.6")
	if err != nil {
		t.Fatal(err)
	}
	var one store.Server
	one.Build = imported
	clock := ui.Clock{Now: time.Date(2008, 5, 2, 12, 0, 0, 0, time.UTC), Zone: time.UTC}
	if item := inventoryItems(one, read, true, clock)[2]; item.Value != "8.1.240.6" || !strings.Contains(item.Note, "imported as 8.0.685.25") {
		t.Errorf("read: %+v", item)
	}
	if item := inventoryItems(one, imported, false, clock)[2]; item.Value != "8.0.685.25" || !strings.HasPrefix(item.Note, "as imported") {
		t.Errorf("not read: %+v", item)
	}
}
