package store_test

import (
	"strings"
	"testing"

	"wavekeeper/server/store"
)

// TestACertificateThatIsShownAgainIsNoQuestion: an offer holds a server only as
// long as the host, or its profile, does not say otherwise.
func TestACertificateThatIsShownAgainIsNoQuestion(t *testing.T) {
	t.Parallel()
	d := submit(t)
	d.exec(t, "UPDATE profile SET https = true, trust = 'first-use', plain_basic = false")
	host := int64(d.count(t, "SELECT min(id) FROM host"))
	name := ""
	if err := d.Store.Pool().QueryRow(t.Context(), "SELECT name FROM host WHERE id = $1", host).Scan(&name); err != nil {
		t.Fatal(err)
	}
	mine, other := strings.Repeat("a", 64), strings.Repeat("b", 64)
	if err := d.Store.AddPin(t.Context(), erika, name, mine, "compared"); err != nil {
		t.Fatal(err)
	}
	held := func() bool {
		t.Helper()
		s, err := d.Store.Snapshot(t.Context(), d.rollout, book)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range s.Upgrades {
			if strings.Contains(u.NotLetIn, "nobody confirmed") {
				return true
			}
		}
		return false
	}
	offer := func() {
		t.Helper()
		if _, err := d.Store.OfferPin(t.Context(), store.Pin{HostID: host, SHA256: other}); err != nil {
			t.Fatal(err)
		}
	}
	offer()
	if !held() {
		t.Error("another certificate holds no server")
	}
	if err := d.Store.WithdrawOffers(t.Context(), host, mine); err != nil {
		t.Fatal(err)
	}
	if held() {
		t.Error("the server is held though its host shows its certificate again")
	}
	if pins, err := d.Store.PinsOf(t.Context(), host); err != nil || len(pins) != 1 || pins[0].State != store.PinConfirmed {
		t.Errorf("known are %+v, %v", pins, err)
	}
	offer()
	d.exec(t, "UPDATE profile SET pins = ARRAY[$1]", other)
	if held() {
		t.Error("the server is held for a certificate that its profile lets every host show")
	}
}
