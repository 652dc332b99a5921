package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
)

// UpgradeWork is what a tick needs to know of its upgrade.
type UpgradeWork struct {
	ID         int64
	Rollout    int64
	Generation int64
	Wave       int
	State      rollout.State
	Step       string
	Unwinding  bool
	Hooked     bool      // a hook of the user's failed in this attempt
	Skipping   bool      // unwinding ends as skipped, not as failed
	Now        time.Time // the database's time when this was loaded
	Message    string
	Remedy     string
	Percent    int
	Phase      string

	ServerID int64
	Server   exchange.Server   // of a cluster its first clustered mailbox server by name
	Servers  []exchange.Server // all servers on its hosts, by name
	Hosts    []HostAddress     // by name

	Runbook      string                 // the name of the one by which it goes
	Package      string                 // "sp1"
	Then         string                 // the plan's second package, "sp1-ru9"; "" = there is none
	Folder       string                 // of the media on the host; approved, as the next two
	SetupSHA256  string                 // "" = nothing is approved
	Manifest     string                 // SHA-256 of the approved media's; "" = the package has none of its own
	ThenMedia    ThenMedia              // of the second package; approved, too
	RunAs        string                 // account name; another one must not be used
	Hooks        []rollout.ApprovalHook // approved
	Kind         rollout.PlanKind
	Prepared     bool // the organization is recorded as prepared for the package
	Installation string

	Steps  []StepWork    // those of decisions among them, from position 10001
	Ledger []LedgerEntry // open entries

	Decision string        // name of the decision step in work; "" = none, Step is worked on
	Returns  rollout.State // where the upgrade goes when that step has ended
	Repaired bool          // a person said so: this attempt began with verify
	HeardAt  *time.Time    // when a host of it answered last
	OutputAt *time.Time    // when the upgrade last produced something new: a log line, a percentage, a phase, a step
	Markers  []Marker      // cleared on the host and not put back
}

// Marker is one Action or Watermark value of a role key that a person had
// deleted, as it was: the role's key ("MailboxRole"), the value's name, its kind
// as reg.exe names it, its text or decimal number.
// Host is the host's name, when it was read from the record.
type Marker struct{ Role, Name, Kind, Value, Host string }

// ThenMedia is the media of a plan's second package.
type ThenMedia struct{ Folder, SHA256, Manifest string }

// HostAddress is where a host answers.
type HostAddress struct {
	ID      int64
	Name    string
	Address string
	Port    int
}

// StepWork is one step of an upgrade as a tick needs it.
type StepWork struct {
	Position  int
	Name      string
	Attempt   int
	State     rollout.State
	Memory    map[string]string
	Message   string
	StartedAt *time.Time
	EndedAt   *time.Time
	Node      string // the host that it worked on last

	LimitsFrom *time.Time // the limits count from here when set, else from StartedAt
	SoftAt     *time.Time // when it was found to take longer than expected
	SilentAt   *time.Time // when it was last found to be silent for too long
	Ran        bool       // a program of it was begun on its host in the present attempt
}

// LoadWork loads an upgrade for a tick. It reports false when the upgrade is not
// in work or the generation is not the row's: the tick ends without acting.
func (s *Store) LoadWork(ctx context.Context, upgrade, generation int64) (UpgradeWork, bool, error) {
	w, live, err := s.loadWork(ctx, upgrade, generation)
	if err != nil {
		return UpgradeWork{}, false, fmt.Errorf("load work of upgrade %d: %w", upgrade, err)
	}
	return w, live, nil
}

func (s *Store) loadWork(ctx context.Context, upgrade, generation int64) (UpgradeWork, bool, error) {
	u, err := s.q.UpgradeByID(ctx, upgrade)
	if errors.Is(err, pgx.ErrNoRows) {
		return UpgradeWork{}, false, nil
	}
	if err != nil {
		return UpgradeWork{}, false, err
	}
	if u.Generation != generation || !inWork(rollout.State(u.State)) {
		return UpgradeWork{}, false, nil
	}
	w := UpgradeWork{
		ID: u.ID, Rollout: u.RolloutID, Generation: u.Generation, Wave: u.Wave, State: rollout.State(u.State), Step: u.Step,
		Unwinding: u.Unwinding, Skipping: u.Skipping, Hooked: u.Hooked, Message: u.Message, Remedy: u.Remedy, Percent: u.Percent, Phase: u.Phase,
		ServerID: u.ServerID, Runbook: u.Runbook, Kind: rollout.PlanKind(u.Kind), Package: u.Package, Then: u.ThenPackage,
		Decision: u.Decision, Returns: rollout.State(u.Returns), Repaired: u.Repaired, OutputAt: u.OutputAt, HeardAt: u.LastHeardAt,
	}
	if w.Now, err = s.q.DatabaseTime(ctx); err != nil {
		return UpgradeWork{}, false, fmt.Errorf("ask the time: %w", err)
	}
	if err := s.loadWorkServer(ctx, &w); err != nil {
		return UpgradeWork{}, false, err
	}
	if w.Steps, err = s.stepsOf(ctx, upgrade); err != nil {
		return UpgradeWork{}, false, err
	}
	if w.Markers, err = s.openMarkers(ctx, upgrade); err != nil {
		return UpgradeWork{}, false, err
	}
	open, err := s.q.OpenLedger(ctx, upgrade)
	if err != nil {
		return UpgradeWork{}, false, fmt.Errorf("load ledger: %w", err)
	}
	for _, l := range open {
		e, err := ledgerOf(l.ID, l.Host, l.Kind, l.Name, l.Before, l.Meant, l.ChangedAt, l.RestoredAt, l.Deviation)
		if err != nil {
			return UpgradeWork{}, false, err
		}
		w.Ledger = append(w.Ledger, e)
	}
	return w, true, nil
}

func (s *Store) stepsOf(ctx context.Context, upgrade int64) ([]StepWork, error) {
	rows, err := s.q.StepsOfUpgrade(ctx, upgrade)
	if err != nil {
		return nil, fmt.Errorf("load steps: %w", err)
	}
	var steps []StepWork
	for _, r := range rows {
		st := StepWork{
			Position: r.Position, Name: r.Name, Attempt: r.Attempt, State: rollout.State(r.State),
			Message: r.Message, StartedAt: r.StartedAt, EndedAt: r.EndedAt, Node: r.Node, LimitsFrom: r.LimitsFrom, SoftAt: r.SoftAt, SilentAt: r.SilentAt,
		}
		if err := json.Unmarshal(r.Memory, &st.Memory); err != nil {
			return nil, fmt.Errorf("read memory of step %s: %w", r.Name, err)
		}
		st.Ran = st.Memory["created"] != ""
		steps = append(steps, st)
	}
	return steps, nil
}

// loadWorkServer fills in the server, its hosts, the media and the organization.
// What was approved goes over the rows: where the hosts are, what runs there and
// as whom does not change under an upgrade in work.
func (s *Store) loadWorkServer(ctx context.Context, w *UpgradeWork) error {
	r, err := s.q.WorkServer(ctx, w.ID)
	if err != nil {
		return fmt.Errorf("load server: %w", err)
	}
	w.Server = exchange.Server{
		Name: r.Name, FQDN: r.Fqdn, Site: r.Site, InternetFacing: r.InternetFacing, OS: r.Os, Language: r.Language, Arch: r.Arch,
		Cluster: exchange.ClusterType(r.Cluster), Address: r.Address, Port: r.Port, Profile: r.Profile, Mailboxes: r.Mailboxes,
		UMLanguages: r.UmLanguages, Services: r.Services, Tags: r.Tags,
	}
	for _, role := range r.Roles {
		w.Server.Roles = append(w.Server.Roles, exchange.Role(role))
	}
	if w.Server.Build, err = exchange.ParseBuild(r.Build); err != nil && r.Build != "" {
		return fmt.Errorf("read build of %s: %w", r.Name, err)
	}
	w.Prepared, w.Installation = r.Prepared, r.Installation
	if err := s.loadUnit(ctx, w); err != nil {
		return err
	}
	hosts, err := s.q.HostsOfUpgrade(ctx, w.ID)
	if err != nil {
		return fmt.Errorf("load hosts: %w", err)
	}
	for _, h := range hosts {
		w.Hosts = append(w.Hosts, HostAddress{ID: h.ID, Name: h.Name, Address: h.Address, Port: h.Port})
	}
	w.nodes()
	content, err := s.q.ApprovedContent(ctx, w.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load what is approved: %w", err)
	}
	defer w.nodes()
	var approved rollout.ApprovalContent
	if err := json.Unmarshal([]byte(content), &approved); err != nil {
		return fmt.Errorf("read approval of %s: %w", r.Name, err)
	}
	w.take(approved)
	return nil
}

// loadUnit fills in the servers that are upgraded as one.
func (s *Store) loadUnit(ctx context.Context, w *UpgradeWork) error {
	rows, err := s.q.ServersOnHostsOf(ctx, w.ServerID)
	if err != nil {
		return fmt.Errorf("load the servers on its hosts: %w", err)
	}
	for _, r := range rows {
		one := exchange.Server{
			Name: r.Name, FQDN: r.Fqdn, Site: r.Site, InternetFacing: r.InternetFacing, OS: r.Os, Language: r.Language, Arch: r.Arch,
			Cluster: exchange.ClusterType(r.Cluster), Address: r.Address, Port: r.Port, Profile: r.Profile, Mailboxes: r.Mailboxes,
			UMLanguages: r.UmLanguages, Services: r.Services, Tags: r.Tags,
		}
		for _, role := range r.Roles {
			one.Roles = append(one.Roles, exchange.Role(role))
		}
		if one.Build, err = exchange.ParseBuild(r.Build); err != nil && r.Build != "" {
			return fmt.Errorf("read build of %s: %w", r.Name, err)
		}
		w.Servers = append(w.Servers, one)
	}
	return nil
}

// nodes has the servers of a cluster know its nodes: its hosts.
func (w *UpgradeWork) nodes() {
	if w.Server.Cluster == exchange.Standalone {
		return
	}
	nodes := make([]exchange.Node, 0, len(w.Hosts))
	for _, h := range w.Hosts {
		nodes = append(nodes, exchange.Node{Name: h.Name, Address: h.Address, Port: h.Port})
	}
	w.Server.Nodes = nodes
	for i := range w.Servers {
		w.Servers[i].Nodes = nodes
	}
}

// take lets what was approved stand over what the rows say.
func (w *UpgradeWork) take(a rollout.ApprovalContent) {
	w.Folder, w.SetupSHA256, w.Manifest, w.RunAs = a.Folder, a.SetupSHA256, a.Manifest, a.RunAs
	w.ThenMedia = ThenMedia{Folder: a.Then.Folder, SHA256: a.Then.SetupSHA256, Manifest: a.Then.Manifest}
	w.Hooks = a.Hooks
	w.Server.FQDN, w.Server.Language, w.Server.Arch = a.FQDN, a.Language, a.Arch
	w.Server.Profile, w.Server.Services = a.Profile, a.Services
	for i, one := range w.Servers {
		if one.Name == w.Server.Name {
			w.Servers[i] = w.Server
		}
	}
	for i, h := range w.Hosts {
		for _, host := range a.Hosts {
			if host.Name == h.Name {
				w.Hosts[i].Address, w.Hosts[i].Port = host.Address, host.Port
			}
		}
	}
}
