package page_test

import (
	"time"

	"github.com/a-h/templ"

	"wavekeeper/web/page"
	"wavekeeper/web/ui"
)

// entry is one page in one condition.
type entry struct {
	Name string
	Page templ.Component
}

var now = time.Date(2008, 3, 14, 14, 5, 0, 0, time.UTC)

var clock = ui.Clock{Now: now, Zone: time.UTC}

func ago(d time.Duration) ui.Moment { return clock.Moment(now.Add(-d)) }

func frame(theme, title, section string) ui.Frame {
	return ui.Frame{
		Title: title, Section: section, Theme: theme, Demo: true, Zone: "UTC", Waiting: 2,
		Person: ui.Person{Name: "operator", Shown: "Operator", Roles: "operator"},
		Now:    clock.Moment(now), ReturnTo: "/",
	}
}

func state(key string) ui.State { return ui.State{Key: key} }

// entries lists the pages in the theme: "light", "dark" or "" by the system.
func entries(theme string) []entry {
	f := func(title, section string) ui.Frame { return frame(theme, title, section) }
	plain := ui.Frame{Title: "Sign in", Theme: theme, Demo: true}
	return []entry{
		{"signin", page.SignInPage(page.SignIn{Frame: plain, Name: "lead", Error: "Name or password is wrong."})},
		{"first-admin", page.FirstAdminPage(page.FirstAdmin{Frame: plain})},
		{"home", page.HomePage(home(f("Home", "home")))},
		{"home-empty", page.HomePage(homeEmpty(f("Home", "home")))},
		{"servers", page.ServersPage(servers(f("Servers", "servers")))},
		{"servers-empty", page.ServersPage(page.Servers{
			Frame: f("Servers", "servers"), Words: "none yet",
			Empty: ui.Empty{Title: "No servers yet", Text: "Import the inventory as a CSV file. A preview shows what would change before anything does.", Action: ui.Link{Href: "/servers/import", Text: "Import servers"}},
		})},
		{"import", page.ImportPage(importPage(f("Import", "servers")))},
		{"server", page.ServerPage(server(f("MBX01", "servers")))},
		{"server-certificate", page.ServerPage(serverUntrusted(f("MBX01", "servers")))},
		{"confirm-certificate", page.ConfirmPage(confirmCertificate(f("Trust the new certificate", "servers")))},
		{"profiles", page.ProfilesPage(profilesPage(f("Profiles", "servers")))},
		{"profile", page.ProfilePage(profilePage(f("corp", "servers")))},
		{"home-refused", page.HomePage(homeRefused(f("Home", "home")))},
		{"findings", page.FindingsPage(fleetFindings(f("Findings", "servers")))},
		{"findings-empty", page.FindingsPage(page.FleetFindings{
			Frame: f("Findings", "servers"), Words: "no host was checked for SP1 yet", Package: "sp1", Scope: "Check all 12 servers", Why: "Only a planner or an operator can do this.",
			Empty: ui.Empty{Title: "Nobody checked yet", Text: "A check asks the hosts, changes nothing there but the program's own folder, and may run at any time."},
		})},
		{"server-findings", page.ServerFindingsPage(serverFindings(f("Findings of CAS01", "servers")))},
		{"reapply", page.ReapplyPage(reapply(f("What Setup overwrote", "servers")))},
		{"organization", page.OrganizationPage(organization(f("Organization", "servers")))},
		{"rules", page.RulesPage(rules(f("Rules", "servers")))},
		{"rule", page.RulePage(rule(f("Rule msdtc", "servers")))},
		{"media", page.MediaPage(mediaList(f("Media", "servers")))},
		{"medium", page.MediumPage(medium(f("Media", "servers")))},
		{"constants", page.ConstantsPage(constants(f("Constants", "servers")))},
		{"recoveries", page.RecoveriesPage(recoveries(f("Recovery", "rollouts")))},
		{"recovery", page.RecoveryPage(page.Recovery{Frame: f("Recovery", "rollouts"), RecoveryText: interruption})},
		{"server-contact", page.ServerPage(serverContacted(f("MBX01", "servers")))},
		{"plans", page.PlansPage(plans(f("Plans", "plans")))},
		{"plan-form", page.PlanFormPage(planForm(f("New plan", "plans")))},
		{"plan", page.PlanPage(plan(f("Plan", "plans")))},
		{"rollouts", page.RolloutsPage(rollouts(f("Rollouts", "rollouts")))},
		{"rollout", page.RolloutPage(rollout(f("Rollout", "rollouts")))},
		{"confirm", page.ConfirmPage(confirm(f("Pause", "rollouts")))},
		{"approve", page.ApprovePage(approve(f("Approve wave 2", "rollouts"), ""))},
		{"approve-refused", page.ApprovePage(approve(f("Approve wave 2", "rollouts"), "You made this plan; a second person approves it."))},
		{"upgrade", page.UpgradePage(upgrade(f("MBX01", "rollouts")))},
		{"upgrade-failed", page.UpgradePage(upgradeFailed(f("MBX01", "rollouts")))},
		{"upgrade-interrupted", page.UpgradePage(upgradeInterrupted(f("MBX01", "rollouts"), ""))},
		{"upgrade-interrupted-auditor", page.UpgradePage(upgradeInterrupted(f("MBX01", "rollouts"), "auditor"))},
		{"upgrade-out-of-sight", page.UpgradePage(upgradeOutOfSight(f("MBX01", "rollouts")))},
		{"upgrade-decided", page.UpgradePage(upgradeDecided(f("MBX01", "rollouts")))},
		{"upgrade-held", page.UpgradePage(upgradeHeld(f("MBX02", "rollouts")))},
		{"approve-media", page.ApprovePage(approveMedia(f("Approve wave 3", "rollouts")))},
		{"upgrade-slow", page.UpgradePage(upgradeSlow(f("MBX01", "rollouts")))},
		{"confirm-clear", page.ConfirmPage(confirmClear(f("Clear Action and Watermark", "rollouts")))},
		{"evidence", page.EvidencePage(evidenceText(f("Evidence", "rollouts")))},
		{"history", page.HistoryPage(history(f("History", "history")))},
		{"failure", page.FailurePage(page.Failure{
			Frame: f("Conflict", ""), Title: "Somebody was quicker", Text: "Wave 2 was approved by lead2 at 14:03:10 UTC; nothing was done a second time.",
			Safe: "No server was touched by this request.", Next: ui.Link{Href: "/rollouts/42", Text: "Back to the rollout"}, ID: "7f3a9c21",
			Last: []page.Event{{At: ago(12 * time.Second), State: "approved", Where: "Wave 2", Href: "/rollouts/42/waves/2", Text: "approved by lead2: Change 4711"}},
		})},
		{"failure-away", page.FailurePage(page.Failure{
			Frame: plain, Title: "The database is away", Text: "It is restarting, cannot be reached or has no room, so nothing can be shown or decided now.",
			Safe: "Nothing of what you asked was carried out. Do it again when the database is back.", Next: ui.Link{Href: "/rollouts/42", Text: "Back to the page"}, ID: "7f3a9c21",
			Hosts: "Setup that runs on a server goes on there. No coordinator starts anything before the database is back; then each server is asked first how it stands.",
		})},
	}
}
