package windows

import (
	"errors"
	"fmt"
)

// TaskRefusedError is Windows' refusal to register or to start a task under an
// account: coming back cannot cure it, a person can.
type TaskRefusedError struct {
	Task    string
	Account string // empty = SYSTEM
	Code    uint32 // HRESULT

	starting bool // it is registered, and could not be started
}

// The refusals that have a name; ask with errors.Is.
var (
	// ErrCredentialStorage is the policy that forbids to store credentials.
	ErrCredentialStorage = errors.New("a policy forbids to store credentials")
	// ErrBatchRight is the missing right to log on as a batch job.
	ErrBatchRight = errors.New("the account must not log on as a batch job")
	// ErrLogon is a wrong password or an account that does not exist.
	ErrLogon = errors.New("the account's name or password is wrong")
	// ErrLockedOut is an account that is locked out.
	ErrLockedOut = errors.New("the account is locked out")
	// ErrLogonRestricted is any other rule that keeps an account from logging on.
	ErrLogonRestricted = errors.New("the account may not log on")
	// ErrSchedulerDenied is the scheduler's refusal of the account that asks.
	ErrSchedulerDenied = errors.New("the scheduler refuses the WinRM account")
	// ErrStartDenied is a registered task whose account may not run its program.
	ErrStartDenied = errors.New("the account may not run the task's program")
	// ErrSchedulerDisabled is a Task Scheduler service that cannot start; one that
	// has not started yet is no refusal.
	ErrSchedulerDisabled = errors.New("the Task Scheduler service is disabled")
)

// why is what a refusal means and what helps.
type why struct {
	kind         error
	what, remedy string
}

// startDenied is 0x80070005 as the result of a start: the scheduler took the
// task, so it is not the WinRM account that lacks a right. Source: KB867466
// (cmd.exe of Windows Server 2003 is closed to batch logons that are no
// administrators').
var startDenied = why{
	ErrStartDenied, "Windows denies the account the task's program or folder",
	"Put the run-as account into the local group Administrators (on Windows Server 2003 nobody else may run cmd.exe in a task) and enter its password anew in the profile, then run again.",
}

// refusals are the HRESULTs of refusals (winerror.h; those of Task Scheduler:
// "Task Scheduler Error and Success Constants") with what they mean and what
// helps.
var refusals = map[uint32]why{
	0x80070520: {ErrCredentialStorage, "the security policy of the host forbids to store passwords", "Set the policy \"Network access: Do not allow storage of passwords and credentials for network authentication\" to Disabled on the host (registry: HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa, DisableDomainCreds = 0), then run again."},
	0x80070569: {ErrBatchRight, "the account lacks the right \"Log on as a batch job\"", "Give the run-as account the right \"Log on as a batch job\" (local or group policy; the group Administrators has it by default) and take it out of \"Deny log on as a batch job\", then run again."},
	0x8007052e: {ErrLogon, "the user name or the password is wrong", "Correct the run-as account and its password in the profile, then run again. Mind that each try with a wrong password counts towards a lockout."},
	0x80070534: {ErrLogon, "there is no account of that name", "Correct the run-as account's name in the profile (DOMAIN\\name), then run again."},
	0x80070775: {ErrLockedOut, "the account is locked out", "Unlock the run-as account and find out who used a wrong password, then run again."},
	0x80070533: {ErrLogonRestricted, "the account is disabled", "Enable the run-as account, then run again."},
	0x80070532: {ErrLogonRestricted, "the account's password has expired", "Set a new password for the run-as account and enter it in the profile, then run again."},
	0x80070773: {ErrLogonRestricted, "the account's password must be changed before the first logon", "Change the run-as account's password once, enter it in the profile, then run again."},
	0x80070701: {ErrLogonRestricted, "the account has expired", "Extend the run-as account, then run again."},
	0x8007052f: {ErrLogonRestricted, "restrictions of the account forbid the logon", "Check the run-as account's restrictions (an empty password, smart card only, logon hours), then run again."},
	0x80070530: {ErrLogonRestricted, "the account may not log on at this time of day", "Extend the run-as account's logon hours, then run again."},
	0x80070531: {ErrLogonRestricted, "the account may not log on to this computer", "Add the host to the run-as account's workstations, then run again."},
	0x80070005: {ErrSchedulerDenied, "the scheduler refuses the WinRM account", "The WinRM account must be a full administrator over the network: the built-in Administrator, a domain account in the group Administrators, or a local one where LocalAccountTokenFilterPolicy is 1. Then run again."},
	0x80070422: {ErrSchedulerDisabled, "the Task Scheduler service is disabled", "Set the service Task Scheduler (Schedule) to start automatically and start it, then run again."},
	0x8004130f: {ErrLogon, "the scheduler stored no account for the task: its name or password was wrong, or a policy forbids to store it", "Correct the run-as account and its password in the profile, and see that the policy \"Network access: Do not allow storage of credentials or .NET Passports for network authentication\" is Disabled on the host, then run again."},
	0x80041310: {ErrLogon, "the scheduler knows no account of that name", "Correct the run-as account's name in the profile (DOMAIN\\name), then run again."},
}

// refusal is the typed error for an HRESULT, nil when it is no refusal.
func refusal(task, account string, code uint32) error {
	if _, known := refusals[code]; !known {
		return nil
	}
	return &TaskRefusedError{Task: task, Account: account, Code: code}
}

// refusedStart is refusal for a task that is registered and was told to run.
func refusedStart(task, account string, code uint32) error {
	if _, known := refusals[code]; !known {
		return nil
	}
	return &TaskRefusedError{Task: task, Account: account, Code: code, starting: true}
}

func (e *TaskRefusedError) why() why {
	if e.starting && e.Code == 0x80070005 {
		return startDenied
	}
	return refusals[e.Code]
}

// Error says the task, the account, what Windows answered and its code.
func (e *TaskRefusedError) Error() string {
	who := e.Account
	if who == "" {
		who = "SYSTEM"
	}
	return fmt.Sprintf("task %s as %s is refused: %s (0x%08x)", e.Task, who, e.why().what, e.Code)
}

// Remedy says in words what a person can do.
func (e *TaskRefusedError) Remedy() string { return e.why().remedy }

// Is reports the kind of refusal.
func (e *TaskRefusedError) Is(target error) bool {
	return target != nil && e.why().kind == target
}
