package store_test

import (
	"errors"
	"strings"
	"testing"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
	"wavekeeper/server/store/storetest"
)

// aPlan is SP1 for one client access server and one mailbox server.
func aPlan(t *testing.T, mailboxes int) rollout.Plan {
	t.Helper()
	pkg, err := exchange.PackageByName("sp1")
	if err != nil {
		t.Fatal(err)
	}
	rtm, err := exchange.ParseBuild("8.0.685.25")
	if err != nil {
		t.Fatal(err)
	}
	servers := []exchange.Server{
		{Name: "CAS1", Roles: []exchange.Role{exchange.ClientAccess}, Site: "Berlin", Build: rtm, OS: "2003", Language: "en-US", Arch: "x64", Profile: "default", Address: "10.0.0.1"},
		{Name: "MBX1", Roles: []exchange.Role{exchange.Mailbox}, Site: "Berlin", Build: rtm, OS: "2003", Language: "en-US", Arch: "x64", Profile: "default", Address: "10.0.0.2", Mailboxes: mailboxes},
	}
	p, _, err := rollout.Make(servers, pkg, rollout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNewerRevisionSupersedesTheDraft(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	lead, err := s.PersonByID(t.Context(), member(t, s, "lead", "planner"))
	if err != nil {
		t.Fatal(err)
	}
	actor := lead.Actor("127.0.0.1")
	content := aPlan(t, 100)
	plan, first, err := s.CreatePlan(t.Context(), actor, "SP1 in Berlin", content)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.AddRevision(t.Context(), actor, plan, first, aPlan(t, 200))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddRevision(t.Context(), actor, plan, first, content); !errors.Is(err, rollout.ErrConflict) {
		t.Errorf("a revision of an older one: %v, want ErrConflict", err)
	}
	if _, err := s.AddRevision(t.Context(), actor, plan+1, first, content); !errors.Is(err, rollout.ErrNotFound) {
		t.Errorf("a revision of no plan: %v, want ErrNotFound", err)
	}
	p, err := s.PlanByID(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Revisions) != 2 || p.Revisions[0].ID != second || p.Revisions[0].State != rollout.Draft || p.Revisions[1].State != rollout.Superseded {
		t.Errorf("the plan's revisions are %+v, want a draft and a superseded one", p.Revisions)
	}
	hash, err := content.Hash()
	if err != nil || p.Revisions[1].Hash != hash || p.Revisions[1].Author != "lead" {
		t.Errorf("revision 1 is %+v, want hash %s", p.Revisions[1], hash)
	}
	all, err := s.Plans(t.Context())
	if err != nil || len(all) != 1 || all[0].Number != 2 || all[0].RolloutID != 0 {
		t.Errorf("Plans = %+v, %v, want one with revision 2", all, err)
	}
}

func TestPackageAndPreparationAreRecorded(t *testing.T) {
	t.Parallel()
	s := storetest.New(t).Store
	const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"
	if err := s.SavePackage(t.Context(), erika, store.Package{Name: "SP1", SetupSHA256: hash}); err != nil {
		t.Fatal(err)
	}
	all, err := s.Packages(t.Context())
	if err != nil || len(all) != 1 || all[0].Folder != `C:\Wavekeeper\media\sp1-en-US-x64` || all[0].SetupSHA256 == hash {
		t.Errorf("Packages = %+v, %v, want sp1 in the default folder, hash in lower case", all, err)
	}
	for name, p := range map[string]store.Package{
		"unknown package": {Name: "sp9", SetupSHA256: hash},
		"no hash":         {Name: "sp1", SetupSHA256: "abc"},
		"no folder":       {Name: "sp1", SetupSHA256: hash, Folder: `media\sp1`},
		"a quote in it":   {Name: "sp1", SetupSHA256: hash, Folder: `C:\a"b`},
	} {
		if err := s.SavePackage(t.Context(), erika, p); !errors.Is(err, rollout.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if err := s.RecordPreparation(t.Context(), erika, "sp1", "", " "); !errors.Is(err, rollout.ErrInvalid) {
		t.Errorf("a preparation without a reason: %v, want ErrInvalid", err)
	}
	if err := s.RecordPreparation(t.Context(), erika, "sp1-ru4", "", "setup /PrepareAD ran"); !errors.Is(err, rollout.ErrConflict) || !strings.Contains(err.Error(), "Nothing is to be prepared for SP1 RU4") {
		t.Errorf("a preparation for a rollup: %v, want ErrConflict", err)
	}
	if err := s.RecordPreparation(t.Context(), erika, "sp1", "", "setup /PrepareAD ran on Friday"); err != nil {
		t.Fatal(err)
	}
	prepared, err := s.Preparations(t.Context())
	if err != nil || prepared["sp1"].By != "erika" {
		t.Errorf("Preparations = %+v, %v, want sp1 by erika", prepared, err)
	}
}
