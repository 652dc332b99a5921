package httpd

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"wavekeeper/server/auth"
	"wavekeeper/server/store"
	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

func profileHref(name string) string { return "/profiles/" + url.PathEscape(name) }

// profiles lists how hosts are reached, for everybody who may read.
func (s *server) profiles(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	all, err := s.Store.Profiles(r.Context())
	if err != nil {
		return err
	}
	refused, err := s.Store.Refusals(r.Context())
	if err != nil {
		return err
	}
	var view page.Profiles
	for _, p := range all {
		row := page.ProfileRow{
			Name: p.Name, Href: profileHref(p.Name), Way: wayWords(p), Trust: trustWords(p), For: forWords(p), Account: "–", State: "no account",
			Changed: day(p.UpdatedAt),
		}
		if p.UpdatedBy != "" {
			row.Changed += " by " + p.UpdatedBy
		}
		c, ok, err := s.credential(r.Context(), p, store.PurposeWinRM)
		if err != nil {
			return err
		}
		if ok {
			row.Account, row.State, row.Bad = clean(c.Account), "not tried yet", false
			if c.ProvenAt != nil {
				row.State = "taken by hosts"
			}
			if n := against(refused, c.ID); n > 0 {
				row.State, row.Bad = "refused", true
			}
			if s.otherKey(c) {
				row.State, row.Bad = "cannot be opened: sealed under another key", true
			}
		}
		view.Rows = append(view.Rows, row)
	}
	view.Frame = s.frame(r, v, "Profiles", "servers")
	return s.render(w, r, http.StatusOK, page.ProfilesPage(view))
}

// otherKey reports whether a secret is sealed under a key that is not this
// console's.
func (s *server) otherKey(c store.Credential) bool { return s.KeyID != "" && c.KeyID != s.KeyID }

func against(refused []store.Refusal, credential int64) int {
	n := 0
	for _, r := range refused {
		if r.CredentialID == credential {
			n++
		}
	}
	return n
}

func forWords(p store.Profile) string {
	words := strings.Join(append(append([]string{}, p.Ranges...), p.Suffixes...), ", ")
	if words == "" {
		return "no host"
	}
	return words
}

// profile shows one profile and its accounts, without secrets.
func (s *server) profile(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	p, err := s.Store.ProfileByName(r.Context(), part(r, "profile"))
	if err != nil {
		return err
	}
	clock := v.clock(s.Now())
	view := page.Profile{Name: p.Name, Items: profileItems(p), History: []ui.Link{
		{Href: "/history?kind=profile.save", Text: "All changes of profiles"},
		{Href: "/history?kind=credential.set", Text: "Credentials stored"},
		{Href: "/history?kind=credential.rotate", Text: "Credentials rotated"},
		{Href: "/history?kind=credential.refused", Text: "Credentials refused"},
	}}
	changed := page.Item{Name: "Changed", Value: clock.Moment(p.UpdatedAt).Text}
	if p.UpdatedBy != "" {
		changed.Note = "by " + p.UpdatedBy
	}
	view.Items = append(view.Items, changed)
	refused, err := s.Store.Refusals(r.Context())
	if err != nil {
		return err
	}
	for _, purpose := range []string{store.PurposeWinRM, store.PurposeRunAs} {
		c, ok, err := s.credential(r.Context(), p, purpose)
		if err != nil {
			return err
		}
		if ok {
			account := accountView(v, p, c, refused, clock)
			if s.otherKey(c) {
				account.Refused = append(account.Refused, fmt.Sprintf("It is sealed under the key %s, and this console has the key %s: it cannot be used. Start the console with the key file of that key (--key-file), or have an admin store the secret anew with this one.", c.KeyID, s.KeyID))
			}
			view.Accounts = append(view.Accounts, account)
		}
	}
	view.Frame = s.frame(r, v, p.Name, "servers")
	return s.render(w, r, http.StatusOK, page.ProfilePage(view))
}

func profileItems(p store.Profile) []page.Item {
	items := []page.Item{
		{Name: "Way in", Value: wayWords(p)},
		{Name: "Certificates", Value: trustWords(p)},
		{Name: "Addresses", Value: orDash(strings.Join(p.Ranges, ", "))},
		{Name: "Names", Value: orDash(strings.Join(p.Suffixes, ", "))},
	}
	for _, pin := range p.Pins {
		items = append(items, page.Item{Name: "Pin", Value: fingerprint(pin), Note: "of any of its hosts"})
	}
	if p.Auth == store.AuthKerberos {
		items = append(items,
			page.Item{Name: "Realm", Value: orDash(p.Realm), Note: "– is that of the account"},
			page.Item{Name: "KDCs", Value: orDash(strings.Join(p.KDCs, ", ")), Note: "– is krb5.conf, then DNS"},
			page.Item{Name: "Principal names", Value: p.SPNService + "/HOST"},
		)
	}
	return items
}

func accountView(v viewer, p store.Profile, c store.Credential, refused []store.Refusal, clock ui.Clock) page.ProfileAccount {
	out := page.ProfileAccount{
		Purpose: map[string]string{store.PurposeWinRM: "Signs in to hosts", store.PurposeRunAs: "Runs Setup and cmdlets"}[c.Purpose],
		Items: []page.Item{
			{Name: "Account", Value: clean(c.Account)},
			{Name: "Secret", Value: c.Kind, Note: fmt.Sprintf("version %d, never shown", c.Version)},
			{Name: "Set", Value: clock.Moment(c.SetAt).Text, Note: "by " + c.SetBy},
		},
	}
	if c.Purpose == store.PurposeWinRM {
		taken := page.Item{Name: "Taken", Value: "not tried yet", Note: "a new secret is tried at one host first"}
		if c.ProvenAt != nil {
			taken = page.Item{Name: "Taken", Value: "first by " + c.ProvenBy, Note: clock.Moment(*c.ProvenAt).Text}
		}
		out.Items = append(out.Items, taken)
	}
	for _, r := range refused {
		if r.CredentialID != c.ID {
			continue
		}
		who := r.Host
		if who == "" {
			who = "All hosts that have not taken it"
		}
		out.Refused = append(out.Refused, fmt.Sprintf("%s, %s: %s", who, clock.Moment(r.At).Text, clean(r.Reason)))
	}
	if len(out.Refused) > 0 {
		out.Acts = []ui.Act{{Href: profileHref(p.Name) + "/retry", Text: "Have it tried again …", Why: v.why(auth.Credentials)}}
	}
	return out
}

// credentialRetryAsk asks before a refused credential is tried again as it is.
func (s *server) credentialRetryAsk(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Read)
	if err != nil {
		return err
	}
	p, err := s.Store.ProfileByName(r.Context(), part(r, "profile"))
	if err != nil {
		return err
	}
	hosts, err := s.Store.AccountNames(r.Context(), p.Name)
	if err != nil {
		return err
	}
	view := page.Confirm{
		Crumbs: []ui.Link{{Href: "/profiles", Text: "Profiles"}, {Href: profileHref(p.Name), Text: p.Name}},
		Title:  "Have the account of " + p.Name + " tried again", Button: "Try it again at 1 host first", Kind: "danger",
		Lead:   "The same secret is sent once more, to one host; only when that takes it, to the others. When the secret is wrong, this is one more failed logon, and an account gets locked by a few.",
		Action: profileHref(p.Name) + "/retry", Reason: "Reason, kept on record: what was cured",
		Back: ui.Link{Href: profileHref(p.Name), Text: "Back, change nothing"}, Why: v.why(auth.Credentials),
		Parts: []page.ConfirmPart{{Title: "What follows", Lines: []string{
			ui.Count(len(hosts), "host is", "hosts are") + " reached by this profile.",
			"What is refused now is forgotten; what waits goes on by itself when a host took it.",
			"To store another secret: wavekeeper credential rotate --profile " + p.Name + " --purpose winrm.",
		}}},
	}
	view.Frame = s.frame(r, v, view.Title, "servers")
	return s.render(w, r, http.StatusOK, page.ConfirmPage(view))
}

func (s *server) credentialRetry(w http.ResponseWriter, r *http.Request) error {
	v, err := s.allowed(r, auth.Credentials)
	if err != nil {
		return err
	}
	name := part(r, "profile")
	if _, err := s.Store.RetryCredential(r.Context(), v.actor(r), name, store.PurposeWinRM, reason(r)); err != nil {
		return err
	}
	return s.done(w, r, profileHref(name), "It is tried again, at one host first.")
}
