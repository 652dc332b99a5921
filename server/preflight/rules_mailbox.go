package preflight

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// mailboxRules ask for databases and what protects them.
var mailboxRules = []Rule{
	{
		Name: "backup-recent", Words: "Every database has a recent full backup", Source: "technet bb885047 (full backup before and after); Exchange team practice; the age is a policy value",
		Severity: Blocker, Unknown: Warning, Waivable: true, Begin: true, Kinds: []string{ServicePack, Rollup}, Roles: []string{mailbox}, Needs: []string{"backups"}, Also: []string{"databases"}, test: ruleBackup,
	},
	{
		Name: "no-backup-running", Words: "No backup runs", Source: "topic 5ac92b11 on moving a clustered mailbox server (a move cancels backups); founding document (Backup Exec holds Exchange)",
		Severity: Blocker, Unknown: Warning, Begin: true, Kinds: []string{ServicePack, Rollup}, Roles: []string{mailbox}, Needs: []string{"backups"},
		test: func(s Subject) verdict {
			var at, untold []string
			for _, b := range s.Facts.Backups.Value {
				switch {
				case b.Running == nil:
					untold = append(untold, b.Database)
				case *b.Running:
					at = append(at, b.Database)
				}
			}
			switch evidence := count(len(s.Facts.Backups.Value), "database", "databases"); {
			case len(at) > 0:
				return blocks("A backup runs: "+list(at), evidence, "Let it come to its end.")
			case len(untold) > 0:
				return unread("Whether a backup runs could not be read of "+list(untold), evidence, "See that the databases are mounted, and ask Get-MailboxDatabase -Status for BackupInProgress.")
			default:
				return pass("No backup runs", evidence)
			}
		},
	},
	{
		Name: "databases-mounted", Words: "Every database is mounted", Source: "remembered practice: what was down before is not to be blamed on the upgrade",
		Severity: Warning, Unknown: Info, Waivable: true, Kinds: []string{ServicePack, Rollup}, Roles: []string{mailbox}, Needs: []string{"databases"},
		test: func(s Subject) verdict {
			var down []string
			for _, d := range s.Facts.Databases.Value {
				if !d.Mounted {
					down = append(down, d.Name)
				}
			}
			if len(down) > 0 {
				return warns("Databases are not mounted: "+list(down), count(len(s.Facts.Databases.Value), "database", "databases"), "Find out why, before the upgrade is blamed for it.")
			}
			return pass("Every database is mounted", count(len(s.Facts.Databases.Value), "database", "databases"))
		},
	},
	{
		Name: "streaming-backup-key", Words: "The switch for remote streaming backup is not under the wrong key", Source: "founding document (both spellings; the first is right)",
		Severity: Warning, Unknown: Warning, Waivable: true, Roles: []string{mailbox}, Kinds: []string{ServicePack, Rollup}, Needs: []string{"streaming_backup"}, Fix: CleanStreamingKey,
		test: func(s Subject) verdict {
			b := s.Facts.StreamingBackup.Value
			if b.WrongKey {
				return warns(`The key "ParametersSystem/Enable" exists, which a misread .reg file makes: its value does nothing`, switchWords(b.Value), `Delete the key, and set "Enable Remote Streaming Backup" below ParametersSystem where it is wanted.`)
			}
			return pass("There is no wrong key for remote streaming backup", switchWords(b.Value))
		},
	},
	{
		Name: "streaming-backup-on", Words: "Remote streaming backup is on, so that a copy can be reseeded", Source: "founding document (\"Remote Streaming Copy\": SP1 turns it off; reseeding CCR needs it)",
		Severity: Info, Unknown: Warning, Waivable: true, Kinds: []string{ServicePack}, Cluster: OnNodes, Needs: []string{"streaming_backup"},
		test: func(s Subject) verdict {
			b := s.Facts.StreamingBackup.Value
			if b.Value == nil || *b.Value != 1 {
				return notes("Remote streaming backup is not on", switchWords(b.Value), "The runbook sets it on both nodes of a CCR cluster before the first.")
			}
			return pass("Remote streaming backup is on", switchWords(b.Value))
		},
	},
	{
		Name: "public-folders-elsewhere", Words: "The server is not the only one with a public folder database", Source: "remembered practice: public folders, free/busy and offline address books of older clients are away with it",
		Severity: Warning, Unknown: Info, Waivable: true, Kinds: []string{ServicePack, Rollup}, Roles: []string{mailbox}, Needs: []string{"databases", FleetFact},
		test: func(s Subject) verdict {
			public := slices.ContainsFunc(s.Facts.Databases.Value, func(d Database) bool { return d.Public })
			others := slices.DeleteFunc(slices.Clone(s.Fleet.PublicFolders), func(name string) bool { return strings.EqualFold(name, s.Server.Name) })
			if public && len(others) == 0 {
				return warns("This is the only server known to hold a public folder database: public folders are away while it is", "", "Tell people, or add a replica elsewhere first.")
			}
			return pass("Public folders stay served, or are none of this server's", "other servers: "+orNone(list(others)))
		},
	},
	{
		Name: "offline-address-books", Words: "The server generates no offline address book", Source: "remembered: each offline address book has one generating server",
		Severity: Info, Unknown: Info, Waivable: true, Kinds: []string{ServicePack, Rollup}, Roles: []string{mailbox}, Needs: []string{"oab"},
		test: func(s Subject) verdict {
			if books := distinct(s.Facts.OAB.Value.Generates); len(books) > 0 {
				return notes("The server is the only one that generates the offline address books "+list(books), "", "Do not let its window meet their schedule; generate them afterwards.")
			}
			return pass("The server generates no offline address book", "")
		},
	},
	{
		Name: "offline-address-book-server", Words: "The server of every offline address book exists", Source: "Setup's rule OffLineABServerDeleted (MicrosoftDocs, readiness rules)",
		Severity: Blocker, Unknown: Info, Kinds: []string{ServicePack}, Roles: []string{clientAccess}, Needs: []string{"oab"},
		test: func(s Subject) verdict {
			if books := distinct(s.Facts.OAB.Value.Orphaned); len(books) > 0 {
				return blocks("The generating server of offline address books was deleted: "+list(books), "", "Move-OfflineAddressBook to a server that exists.")
			}
			return pass("The server of every offline address book exists", "")
		},
	},
}

// distinct names each once, in their order: a host may list a book for each way
// in which it is distributed.
func distinct(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

func switchWords(value *int) string {
	if value == nil {
		return "Enable Remote Streaming Backup is not set"
	}
	return fmt.Sprintf("Enable Remote Streaming Backup is %d", *value)
}

func ruleBackup(s Subject) verdict {
	limit := time.Duration(s.Policy.Of(BackupAge)) * time.Hour
	const remedy = "Make a full backup, or waive this with its reason."
	seen := map[string]bool{}
	var bad, evidence []string
	for _, b := range s.Facts.Backups.Value {
		seen[strings.ToLower(b.Database)] = true
		evidence = append(evidence, b.Database+" "+orNone(utcWords(b.LastFull)))
		at, err := time.Parse(time.RFC3339, b.LastFull)
		switch {
		case b.LastFull == "":
			bad = append(bad, b.Database+": never")
		case err != nil:
			return unread("When a database was backed up was not understood", b.Database+" "+b.LastFull, remedy)
		case s.Now.Sub(at) > limit:
			bad = append(bad, b.Database+": "+utcWords(b.LastFull))
		}
	}
	for _, d := range s.Facts.Databases.Value {
		if !seen[strings.ToLower(d.Name)] {
			bad = append(bad, d.Name+": not told")
		}
	}
	switch {
	case len(bad) > 0:
		return blocks(fmt.Sprintf("Databases have no full backup of the last %d hours: %s", s.Policy.Of(BackupAge), list(bad)), list(evidence), remedy)
	case len(seen) == 0 && !s.Facts.Databases.Known:
		return unread("The server holds Mailbox, and no database was told", "", "Have the facts be read again.")
	}
	return pass("Every database has a recent full backup", list(evidence))
}
