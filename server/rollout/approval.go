package rollout

import (
	"fmt"
	"slices"
	"strings"

	"wavekeeper/server/canon"
)

// ApprovalFormat names the canonical form of what an approval binds.
const ApprovalFormat = "wavekeeper-approval/2"

// ApprovalContent is what an approval says about one server. Its digest is
// compared in the transaction that starts the server, and what is done on its
// hosts is taken from here, not from what the inventory says meanwhile. What
// the rollout itself changes must not void it: for a server that has begun,
// StartingBuild stays the build that it had before its first attempt.
type ApprovalContent struct {
	Format        string         `json:"format"`
	Revision      string         `json:"revision"` // hash of the plan revision
	Wave          int            `json:"wave"`
	Server        string         `json:"server"`
	FQDN          string         `json:"fqdn"`
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
	Profile       string         `json:"profile"`
	RunAs         string         `json:"run_as"`   // account name
	Services      []string       `json:"services"` // that are stopped for the time of Setup
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
	c.Roles, c.Services = sorted(c.Roles), sorted(c.Services)
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
		{"wave", fmt.Sprint(c.Wave)},
		{"server", c.Server},
		{"full name", c.FQDN},
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
		{"profile", c.Profile},
		{"run-as account", c.RunAs},
		{"services", strings.Join(c.Services, ", ")},
	}
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
