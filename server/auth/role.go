// Package auth says who may do what, and checks passwords. It owns no SQL and
// no pages: the store keeps people and sessions, httpd asks before every action.
package auth

import "slices"

// Role is what a person is in the product. A person can hold several.
type Role string

// The four roles.
const (
	Auditor  Role = "auditor"  // reads all, exports
	Planner  Role = "planner"  // inventory, plans, submits, pauses, stops
	Operator Role = "operator" // approves, runs, decides
	Admin    Role = "admin"    // people, profiles, credentials, settings; no rollout
)

// Roles lists the roles in the order in which pages show them.
func Roles() []Role { return []Role{Auditor, Planner, Operator, Admin} }

// Permission is one thing that a person may be allowed to do.
type Permission string

// The permissions.
const (
	Read        Permission = "read"        // see every page
	Export      Permission = "export"      // take records away
	Inventory   Permission = "inventory"   // import servers
	Probe       Permission = "probe"       // ask hosts for their facts
	Plan        Permission = "plan"        // make plans and revisions
	Media       Permission = "media"       // register packages
	Stage       Permission = "stage"       // have media brought to hosts
	Prepare     Permission = "prepare"     // record that the organization is prepared
	Submit      Permission = "submit"      // submit a revision
	Approve     Permission = "approve"     // approve a wave, reject a plan
	Pause       Permission = "pause"       // pause a rollout
	Resume      Permission = "resume"      // resume a rollout
	Stop        Permission = "stop"        // stop a rollout
	Decide      Permission = "decide"      // retry, skip, mark repaired
	People      Permission = "people"      // add, change and disable people
	Profiles    Permission = "profiles"    // how hosts are reached
	Credentials Permission = "credentials" // store secrets, never read them
	Settings    Permission = "settings"    // all other settings
)

// may lists who has which permission. What is not here is refused.
var may = map[Permission][]Role{
	Read:        {Auditor, Planner, Operator, Admin},
	Export:      {Auditor, Planner, Operator, Admin},
	Inventory:   {Planner},
	Probe:       {Planner, Operator},
	Plan:        {Planner},
	Media:       {Planner, Admin},
	Stage:       {Planner, Operator},
	Prepare:     {Planner, Operator},
	Submit:      {Planner},
	Approve:     {Operator},
	Pause:       {Planner, Operator},
	Resume:      {Operator},
	Stop:        {Planner, Operator},
	Decide:      {Operator},
	People:      {Admin},
	Profiles:    {Admin},
	Credentials: {Admin},
	Settings:    {Admin},
}

// May reports whether one of the roles carries the permission. Roles are words
// as the database keeps them; an unknown one carries nothing.
func May(roles []string, p Permission) bool {
	return slices.ContainsFunc(may[p], func(r Role) bool { return slices.Contains(roles, string(r)) })
}

// Who returns the roles that carry the permission, for a page that says why a
// button cannot be pressed.
func Who(p Permission) []Role { return slices.Clone(may[p]) }
