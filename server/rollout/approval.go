package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/canon"
)

// ApprovalFormat names the canonical form of what an approval binds.
const ApprovalFormat = "wavekeeper-approval/3"

// ApprovalContent is what an approval says about one server. Its digest is
// compared in the transaction that starts the server, and what is done on its
// hosts is taken from here, not from what the inventory says meanwhile. What
// the rollout itself changes must not void it: for a server that has begun,
// StartingBuild stays the build that it had before its first attempt.
type ApprovalContent struct {
	Format        string         `json:"format"`
	Revision      string         `json:"revision"` // hash of the plan revision
	Kind          string         `json:"kind"`     // of the plan, see PlanKind
	Wave          int            `json:"wave"`
	Server        string         `json:"server"`
	Servers       []string       `json:"servers"` // all that are upgraded as one: of a cluster every clustered mailbox server
	FQDN          string         `json:"fqdn"`
	Cluster       string         `json:"cluster"` // CCR, SCC or empty
	Hosts         []ApprovalHost `json:"hosts"`
	Roles         []string       `json:"roles"`
	Site          string         `json:"site"`
	StartingBuild string         `json:"starting_build"`
	Runbook       string         `json:"runbook"` // name
	Version       int            `json:"runbook_version"`
	Steps         string         `json:"runbook_steps"` // hash, see Runbook.Hash
	Package       string         `json:"package"`
	Language      string         `json:"language"`
	Arch          string         `json:"arch"`
	Folder        string         `json:"folder"` // of the media on the hosts
	SetupSHA256   string         `json:"setup_sha256"`
	Manifest      string         `json:"manifest_sha256"` // of the media, every file's hash in it; "" = what lies on the hosts, without media
	Then          ApprovalThen   `json:"then"`            // the second package; empty = there is none
	Profile       string         `json:"profile"`
	RunAs         string         `json:"run_as"`   // account name
	Services      []string       `json:"services"` // that are stopped for the time of Setup
	Hooks         []ApprovalHook `json:"hooks"`    // the user's own, at the points that the runbook comes to
}

// ApprovalThen is the second package of a plan with its media, as the first has them.
type ApprovalThen struct {
	Package     string `json:"package"`
	Folder      string `json:"folder"`
	SetupSHA256 string `json:"setup_sha256"`
	Manifest    string `json:"manifest_sha256"`
}

// ApprovalHook is one hook that is bound to a point of the runbook.
type ApprovalHook struct {
	Point  string `json:"point"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // of the file, or of the webhook's settings
}

// ApprovalHost is where a server's host is reached.
type ApprovalHost struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Port    int    `json:"port"`
}

// normal puts the lists in the order in which they are hashed.
func (c ApprovalContent) normal() ApprovalContent {
	c.Format = ApprovalFormat
	c.Roles, c.Services, c.Servers = sorted(c.Roles), sorted(c.Services), sorted(c.Servers)
	c.Hooks = append([]ApprovalHook{}, c.Hooks...)
	slices.SortFunc(c.Hooks, func(a, b ApprovalHook) int {
		return cmp.Or(strings.Compare(a.Point, b.Point), strings.Compare(a.Name, b.Name), strings.Compare(a.SHA256, b.SHA256))
	})
	c.Hosts = append([]ApprovalHost{}, c.Hosts...)
	slices.SortFunc(c.Hosts, func(a, b ApprovalHost) int { return strings.Compare(a.Name, b.Name) })
	return c
}

// Canonical returns the bytes that are stored beside the approval and hashed.
func (c ApprovalContent) Canonical() ([]byte, error) {
	b, err := canon.JSON(c.normal())
	if err != nil {
		return nil, fmt.Errorf("write approval of %s: %w", c.Server, err)
	}
	return b, nil
}

// Digest is the lower-case hexadecimal SHA-256 of Canonical.
func (c ApprovalContent) Digest() (string, error) {
	b, err := c.Canonical()
	if err != nil {
		return "", err
	}
	return canon.Sum(b), nil
}

// Diff says in words what changed from an approved content to the one now. It
// covers every field: no words mean the same digest.
func (c ApprovalContent) Diff(now ApprovalContent) []string {
	before, after := c.fields(), now.fields()
	out := []string{}
	for i, f := range before {
		if f.value != after[i].value {
			out = append(out, fmt.Sprintf("%s was %s and is %s", f.name, orNone(f.value), orNone(after[i].value)))
		}
	}
	return out
}

// approvalField is one field of a content in words.
type approvalField struct{ name, value string }

func (c ApprovalContent) fields() []approvalField {
	c = c.normal()
	return []approvalField{
		{"plan revision", c.Revision},
		{"kind of plan", c.Kind},
		{"wave", fmt.Sprint(c.Wave)},
		{"server", c.Server},
		{"servers upgraded as one", strings.Join(c.Servers, ", ")},
		{"full name", c.FQDN},
		{"cluster", c.Cluster},
		{"hosts", hostWords(c.Hosts)},
		{"roles", strings.Join(c.Roles, "+")},
		{"AD site", c.Site},
		{"starting build", c.StartingBuild},
		{"runbook", c.Runbook},
		{"runbook version", fmt.Sprint(c.Version)},
		{"runbook steps", c.Steps},
		{"package", c.Package},
		{"language", c.Language},
		{"architecture", c.Arch},
		{"package folder", c.Folder},
		{"hash of setup.com", c.SetupSHA256},
		{"hash of the media's manifest", c.Manifest},
		{"second package", c.Then.Package},
		{"folder of the second package", c.Then.Folder},
		{"hash of the second package", c.Then.SetupSHA256},
		{"hash of the manifest of the second package", c.Then.Manifest},
		{"profile", c.Profile},
		{"run-as account", c.RunAs},
		{"services", strings.Join(c.Services, ", ")},
		{"hooks", hookWords(c.Hooks)},
	}
}

func hookWords(hooks []ApprovalHook) string {
	words := make([]string, len(hooks))
	for i, h := range hooks {
		words[i] = fmt.Sprintf("%s at %s (SHA-256 %s)", h.Name, h.Point, h.SHA256)
	}
	return strings.Join(words, ", ")
}

func hostWords(hosts []ApprovalHost) string {
	words := make([]string, len(hosts))
	for i, h := range hosts {
		words[i] = fmt.Sprintf("%s at %s port %d", h.Name, h.Address, h.Port)
	}
	return strings.Join(words, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}

// Hash identifies a runbook's steps: it changes when any of them does.
func (r Runbook) Hash() (string, error) {
	type step struct {
		Name       string `json:"name"`
		Words      string `json:"words"`
		Expected   int64  `json:"expected_seconds"`
		Soft       int64  `json:"soft_seconds"`
		Hard       int64  `json:"hard_seconds"`
		Silence    int64  `json:"silence_seconds"`
		Repeatable bool   `json:"repeatable"`
		NoReturn   bool   `json:"no_return"`
		PutBack    bool   `json:"put_back"`
		Undone     bool   `json:"undone"`
		On         string `json:"on,omitempty"`
		Hook       string `json:"hook,omitempty"`
		Second     bool   `json:"second,omitempty"`
		Clock      string `json:"clock,omitempty"`
	}
	plain := func(all []Step) []step {
		steps := []step{}
		for _, s := range all {
			steps = append(steps, step{
				s.Name, s.Words, int64(s.Expected.Seconds()), int64(s.Soft.Seconds()), int64(s.Hard.Seconds()), int64(s.Silence.Seconds()),
				s.Repeatable, s.NoReturn, s.PutBack, s.Undone, s.On, s.Hook, s.Second, string(s.Clock),
			})
		}
		return steps
	}
	hash, err := canon.Hash(map[string]any{
		"format": "wavekeeper-runbook/2", "name": r.Name, "version": r.Version, "words": r.Words, "steps": plain(r.Steps), "decisions": plain(r.Decisions),
	})
	if err != nil {
		return "", fmt.Errorf("hash runbook %s: %w", r.Name, err)
	}
	return hash, nil
}
