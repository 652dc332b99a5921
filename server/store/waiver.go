package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"wavekeeper/server/exchange"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// The states of a waiver. One whose end has come is over whatever its state says.
const (
	WaiverAsked     = "asked"
	WaiverGranted   = "granted"
	WaiverRefused   = "refused"
	WaiverWithdrawn = "withdrawn"
)

// WaiverLongest is how long a waiver may hold.
const WaiverLongest = 30 * 24 * time.Hour

// Waiver accepts one finding of one server for one package until an end. Severity,
// Text and Evidence are those of the finding that was accepted.
type Waiver struct {
	ID          int64
	ServerID    int64
	Server      string
	Others      []string // clustered mailbox servers on the same nodes: what is found on a node is accepted for all of them
	Package     string
	Rule        string
	Severity    string
	Text        string
	Evidence    string
	Reason      string
	Until       time.Time
	AskedBy     string
	AskedByID   int64 // 0 = the command line
	AskedAt     time.Time
	State       string
	DecidedBy   string
	DecidedAt   *time.Time
	Decision    string // the reason of whoever decided
	WithdrawnBy string
	WithdrawnAt *time.Time
	Withdrawal  string
	Over        bool // its end had come when it was loaded, by the database's clock
}

// Stands reports whether the waiver accepted what it names when it was loaded.
func (w Waiver) Stands() bool { return w.State == WaiverGranted && !w.Over }

// Holds reports whether the waiver accepts a finding of its rule as it is now: a
// finding that became worse in kind since (a warning that blocks now) is not
// what was accepted.
func (w Waiver) Holds(severity string) bool {
	return w.Stands() && (severity == w.Severity || severity == "warning" && w.Severity == "blocker")
}

// Of reports whether the waiver is for a server: by its name, or as another one on
// the same nodes, on which its upgrade works all the same.
func (w Waiver) Of(server string) bool {
	return w.Server == server || slices.Contains(w.Others, server)
}

// WaiversFor returns the waivers that stand now for a server and a package, by
// the database's clock, one for each rule: the newest, and the server's own before that of another one on
// its nodes. Whether one holds for a
// finding is Waiver.Holds.
func (s *Store) WaiversFor(ctx context.Context, server int64, pkg string) ([]Waiver, error) {
	rows, err := s.q.WaiversFor(ctx, db.WaiversForParams{ServerID: server, Package: pkg})
	if err != nil {
		return nil, fmt.Errorf("load waivers of server %d: %w", server, err)
	}
	var all []Waiver
	for _, r := range rows {
		one := waiverOf(db.WaiversRow(r))
		if n := len(all); n > 0 && all[n-1].Rule == one.Rule {
			all[n-1] = one // the newer one
			continue
		}
		all = append(all, one)
	}
	return all, nil
}

// Waivers returns waivers, newest first; server 0 = all servers, else those of
// the server and of others on its nodes. Without past
// only those that wait or stand.
func (s *Store) Waivers(ctx context.Context, server int64, past bool) ([]Waiver, error) {
	rows, err := s.q.Waivers(ctx, db.WaiversParams{ServerID: server, Past: past})
	if err != nil {
		return nil, fmt.Errorf("load waivers: %w", err)
	}
	all := make([]Waiver, 0, len(rows))
	for _, r := range rows {
		all = append(all, waiverOf(r))
	}
	return all, nil
}

// WaiverByID returns one waiver.
func (s *Store) WaiverByID(ctx context.Context, id int64) (Waiver, error) {
	r, err := s.q.WaiverByID(ctx, id)
	if err != nil {
		return Waiver{}, fmt.Errorf("load waiver %d: %w", id, missing(err, "There is no waiver %d.", id))
	}
	return waiverOf(db.WaiversRow(r)), nil
}

// WaiverAsk is a wish that a finding be accepted.
type WaiverAsk struct {
	Server   int64
	Package  string
	Rule     string
	Severity string // of the finding as the person saw it
	Text     string // and its words
	Evidence string
	Waivable bool // the rule allows it
	Reason   string
	Until    time.Time
}

// AskWaiver asks that a finding be accepted for a server and a package until an
// end, at most 30 days from now. An operator who neither asked nor planned
// grants it.
func (s *Store) AskWaiver(ctx context.Context, actor Actor, ask WaiverAsk) (int64, error) {
	var id int64
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator", "planner"); err != nil {
			return err
		}
		known, err := exchange.PackageByName(ask.Package)
		if err != nil {
			return rollout.Invalid("%s", err)
		}
		if err := ask.check(t.now); err != nil {
			return err
		}
		id, err = t.q.InsertWaiver(ctx, db.InsertWaiverParams{
			ServerID: ask.Server, Package: known.Name, Rule: ask.Rule, Severity: ask.Severity, Text: ask.Text, Evidence: ask.Evidence,
			Reason: strings.TrimSpace(ask.Reason), UntilAt: ask.Until, AskedBy: actor.Name, AskedByID: actingPerson(actor),
		})
		if err != nil {
			return err
		}
		w, err := t.q.LockWaiver(ctx, id)
		if err != nil {
			return err
		}
		t.record(actor, Record{
			What: "waiver.ask", Subject: waiverSubject(w), Reason: w.Reason,
			Detail: map[string]any{"waiver": id, "severity": w.Severity, "text": w.Text, "evidence": w.Evidence, "until": at(w.UntilAt)},
		})
		return t.ring(ctx, "waiver", id)
	})
	if err != nil {
		return 0, fmt.Errorf("ask for a waiver of %s: %w", ask.Rule, err)
	}
	return id, nil
}

// check refuses what cannot be accepted.
func (a WaiverAsk) check(now time.Time) error {
	switch {
	case strings.TrimSpace(a.Reason) == "":
		return rollout.Invalid("Say why it may be accepted: the reason is kept on record.")
	case !a.Waivable:
		return rollout.Conflict("The rule %s cannot be waived: what it asks for has to be cured.", a.Rule)
	case a.Severity != "blocker" && a.Severity != "warning":
		return rollout.Conflict("The rule %s finds nothing to accept.", a.Rule)
	case !a.Until.After(now):
		return rollout.Invalid("Say until when it is accepted: a time to come.")
	case a.Until.After(now.Add(WaiverLongest)):
		return rollout.Invalid("A waiver lasts at most 30 days: name an end before %s.", now.Add(WaiverLongest).Format("2006-01-02 15:04 UTC"))
	}
	return nil
}

// DecideWaiver grants or refuses what was asked for. Neither who asked nor who
// planned the server's upgrade may grant it.
func (s *Store) DecideWaiver(ctx context.Context, actor Actor, id int64, grant bool, reason string) error {
	reason = strings.TrimSpace(reason)
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.decides(ctx, actor, "A waiver is decided", reason); err != nil {
			return err
		}
		w, err := t.q.LockWaiver(ctx, id)
		if err != nil {
			return missing(err, "There is no waiver %d.", id)
		}
		to, what := WaiverRefused, "waiver.refuse"
		if grant {
			to, what = WaiverGranted, "waiver.grant"
			if err := t.mayWaive(ctx, actor, w); err != nil {
				return err
			}
		}
		n, err := t.q.DecideWaiver(ctx, db.DecideWaiverParams{ToState: to, DecidedBy: actor.Name, DecidedByID: actingPerson(actor), Decision: reason, ID: id})
		if err != nil {
			return err
		}
		if n == 0 {
			return rollout.Conflict("Waiver %d does not wait for a decision any more.", id)
		}
		t.record(actor, Record{What: what, Subject: waiverSubject(w), Reason: reason, Detail: map[string]any{"waiver": id, "until": at(w.UntilAt)}})
		return t.ring(ctx, "waiver", id)
	})
	if err != nil {
		return fmt.Errorf("decide waiver %d: %w", id, err)
	}
	return nil
}

// mayWaive holds the four-eyes rule, as mayApprove.
func (t *txn) mayWaive(ctx context.Context, actor Actor, w db.LockWaiverRow) error {
	switch {
	case w.AskedByID == nil:
		return rollout.Conflict("Nobody with an account asked for this waiver, and so nobody can say that two people agree: refuse it, and have a person ask.")
	case *w.AskedByID == actor.PersonID:
		return ownWork("You asked for this waiver: somebody else has to grant it.")
	}
	sharing, err := t.q.ServersOnHostsOf(ctx, w.ServerID) // it counts for all of them
	if err != nil {
		return fmt.Errorf("find the servers on the hosts of %s: %w", w.Server, err)
	}
	names := make([]string, 0, len(sharing))
	for _, one := range sharing {
		names = append(names, one.Name)
	}
	planners, err := t.q.PlannersOf(ctx, db.PlannersOfParams{Package: w.Package, Servers: names})
	if err != nil {
		return fmt.Errorf("find who planned %s: %w", w.Server, err)
	}
	for _, p := range planners {
		if p.ID == actor.PersonID {
			return ownWork(fmt.Sprintf("You wrote or submitted a plan that takes %s to %s: somebody else has to grant it.", w.Server, w.Package))
		}
	}
	return nil
}

// WithdrawWaiver takes a waiver back before its end.
func (s *Store) WithdrawWaiver(ctx context.Context, actor Actor, id int64, reason string) error {
	reason = strings.TrimSpace(reason)
	err := s.inTx(ctx, func(t *txn) error {
		if err := t.acts(ctx, actor, "operator", "planner"); err != nil {
			return err
		}
		if reason == "" {
			return rollout.Invalid("Say why you take the waiver back: the reason is kept on record.")
		}
		w, err := t.q.LockWaiver(ctx, id)
		if err != nil {
			return missing(err, "There is no waiver %d.", id)
		}
		n, err := t.q.WithdrawWaiver(ctx, db.WithdrawWaiverParams{WithdrawnBy: actor.Name, Withdrawal: reason, ID: id})
		if err != nil {
			return err
		}
		if n == 0 {
			return rollout.Conflict("Waiver %d is over: there is nothing to take back.", id)
		}
		t.record(actor, Record{What: "waiver.withdraw", Subject: waiverSubject(w), Reason: reason, Detail: map[string]any{"waiver": id}})
		return t.ring(ctx, "waiver", id)
	})
	if err != nil {
		return fmt.Errorf("withdraw waiver %d: %w", id, err)
	}
	return nil
}

func waiverSubject(w db.LockWaiverRow) string { return w.Server + " " + w.Package + " " + w.Rule }

// actingPerson is the person's id for a row; nil = no person acts.
func actingPerson(actor Actor) *int64 {
	if actor.PersonID == 0 {
		return nil
	}
	return &actor.PersonID
}

func waiverOf(r db.WaiversRow) Waiver {
	w := Waiver{
		ID: r.ID, ServerID: r.ServerID, Server: r.Server, Others: r.Others, Package: r.Package, Rule: r.Rule, Severity: r.Severity, Text: r.Text, Evidence: r.Evidence,
		Reason: r.Reason, Until: r.UntilAt, AskedBy: r.AskedBy, AskedAt: r.AskedAt, State: r.State, DecidedBy: r.DecidedBy, DecidedAt: r.DecidedAt,
		Decision: r.Decision, WithdrawnBy: r.WithdrawnBy, WithdrawnAt: r.WithdrawnAt, Withdrawal: r.Withdrawal, Over: !r.UntilAt.After(r.ReadAt),
	}
	if r.AskedByID != nil {
		w.AskedByID = *r.AskedByID
	}
	return w
}
