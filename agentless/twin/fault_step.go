package twin

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The runbook's steps as declared faults name them (agentless/runbook has them
// as a table; the twin must not know it).
const (
	stepFacts          = "facts"
	stepStage          = "stage"
	stepInspect        = "inspect"
	stepPreflight      = "preflight"
	stepRecord         = "record"
	stepDrainUM        = "drain-um"
	stepDrainTransport = "drain-transport"
	stepUMOut          = "um-out"
	stepStopServices   = "stop-services"
	stepForefront      = "forefront"
	stepFirewall       = "firewall"
	stepSetup          = "setup"
	stepRestart        = "restart"
	stepVerify         = "verify"
	stepUMIn           = "um-in"
	stepSettingsBack   = "settings-back"
	stepServicesBack   = "services-back"
	stepFunctional     = "functional"
	stepUndrain        = "undrain"
	stepPutBack        = "put-back"
	stepTidy           = "tidy"
)

// progress is how far the runbook seems to have come on a host, judged by what
// is asked of it. It has to be guessed, since nothing on the wire may be there
// for the twin's sake:
//
//   - facts is where a host begins, and where Win32_ComputerSystem is asked for;
//   - stage names the tasks "media-check", "media-pull" and "media-unpack";
//   - inspect names the tasks "reach-user", "reach-system" and "look-exchange";
//   - preflight names the tasks "media" and "canary", or looks among the tasks
//     before any Setup; it asks for all facts once more, of which the cluster's
//     name is the last;
//   - record asks for the services once preflight did that, names the tasks
//     "record" and "settings"; stop-services, and stop-monitoring as well, when the
//     services are asked for again, or when one is disabled;
//   - drain-um, drain-transport, um-out, forefront, firewall, um-in, settings-back,
//     functional and undrain are known by the tasks of words that stepOfTask lists;
//   - services-back gives a service its start mode back after verify, and firewall
//     that of the firewall's service before Setup;
//   - restart tells Windows to restart;
//   - setup names the task "setup" of an attempt that was not named before;
//   - verify reads the roles a second time without having looked at that task,
//     after a Setup that went well;
//   - put-back asks for the processes before it looks among the tasks, gives a
//     service its start mode back, or names the task "revocation"; before services
//     are stopped the first and the last of these are um-out's, which runs Setup;
//   - tidy looks among the tasks after Setup, or removes a task's folder.
//
// The first question of a step can therefore still count for the step before.
type progress struct {
	Step     string
	Upgrade  string // of the tasks' names: "wk-test-u17"
	Named    int    // the highest attempt of another task that was named
	Settings bool   // record asked for what only cmdlets tell
	Attempt  int    // the highest attempt of a setup task that was named
	Looked   bool   // preflight read the last of the facts
	Roles    bool   // the roles were read since the setup task was named last
	Log      bool   // verify read the setup log: it collects evidence
	Last     string // the last question, as a word
	Returned string // the step that a reading of facts interrupted
}

// taskWord finds the names of host tasks.
var taskWord = regexp.MustCompile(`(wk-[A-Za-z0-9]{1,32}-[usr][0-9]+)-([a-z0-9-]+)-a([0-9]+)`)

// question is what one request asks of a host, as far as the steps can be told
// by it.
type question struct {
	text     string // command line, script or query with its arguments
	class    string // of WMI, lower case
	key      string // of the registry, lower case
	identify bool
}

// ask reads what a request wants; one that is no XML, nil, asks nothing.
func ask(root *element) question {
	body := root.child("Body")
	if body.child("Identify") != nil {
		return question{identify: true}
	}
	var q question
	if e := body.child("Enumerate"); e != nil {
		_, q.class = parentPath(strings.ToLower(root.child("Header").child("ResourceURI").value()))
		q.text = e.child("Filter").value()
		if _, from, ok := cutFold(q.text, " from "); ok {
			q.class = strings.ToLower(firstWord(from))
		}
	}
	if c := body.child("CommandLine"); c != nil {
		q.text = c.child("Command").value()
		for _, a := range c.all("Arguments") {
			q.text += " " + a.value()
		}
		q.text = decoded(q.text)
	}
	for _, st := range body.child("Send").all("Stream") {
		if raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(st.text), "")); err == nil {
			q.text += string(raw)
		}
	}
	if body != nil && len(body.children) == 1 && strings.HasSuffix(body.children[0].name, "_INPUT") {
		q.key = strings.ToLower(body.children[0].child("sSubKeyName").value())
	}
	return q
}

// decoded is a command line with the script of -EncodedCommand readable, of
// which only the call at its end tells what it is about.
func decoded(line string) string {
	_, code, ok := cutFold(line, "-encodedcommand ")
	if !ok {
		return line
	}
	raw, err := base64.StdEncoding.DecodeString(firstWord(code))
	if err != nil {
		return line
	}
	_, call := cutScript(fromUTF16(raw))
	return call
}

// queried finds the key that reg.exe is asked about: the second way of what
// StdRegProv is asked.
var queried = regexp.MustCompile(`(?i)^reg\.exe query "HKLM\\([^"]+)"$`)

// Words for the last question.
const (
	askedOS        = "os"
	askedProcesses = "processes"
	askedRoles     = "roles"
)

// next moves the progress on by one question; whole says that the last Setup on
// the host, if there was one, went well.
func (p *progress) next(q question, whole bool) {
	if m := queried.FindStringSubmatch(q.text); m != nil && q.key == "" {
		q.key = strings.ToLower(m[1])
	}
	last := p.Last
	if q.class != "" || q.key != "" || q.text != "" {
		p.Last = q.class + q.key
	}
	if p.Step == "" {
		p.Step = stepFacts
	}
	low := strings.ToLower(q.text)
	switch {
	case q.class == "win32_operatingsystem":
		if p.Last = last; last == "" {
			p.Last = askedOS
		}
	case q.class == "win32_process", strings.HasPrefix(low, "wk_program_list "):
		p.Last = askedProcesses
	case q.class == "win32_computersystem", q.key == `system\currentcontrolset\services\tcpip\parameters`:
		if p.Step == stepPreflight {
			break
		}
		if p.Step != stepFacts {
			p.Returned = p.Step
		}
		p.Step, p.Roles = stepFacts, false
	case q.class == "win32_service" && !strings.Contains(low, " where "), strings.HasPrefix(low, "wk_service_list ") && strings.HasSuffix(low, " ''"):
		p.services()
	case q.key == strings.ToLower(`SOFTWARE\Microsoft\Exchange\v8.0`) || strings.Contains(low, strings.ToLower(`reg.exe query "`+exchangeRoot+`" /s`)):
		p.Last = askedRoles
		if last != askedRoles || q.key != "" { // reg.exe is the second way of the same reading
			p.roles(whole)
		}
	case q.key == "cluster":
		p.Looked = p.Step == stepPreflight
	case strings.Contains(low, " start= auto"), strings.Contains(low, " start= demand"):
		switch {
		case slices.Contains([]string{stepVerify, stepUMIn, stepSettingsBack, stepServicesBack}, p.Step):
			p.Step = stepServicesBack
		case (p.before() || p.Step == stepStopServices || p.Step == stepForefront) && (strings.Contains(low, "sharedaccess") || strings.Contains(low, "mpssvc")):
			p.Step = stepFirewall
		default:
			p.Step = stepPutBack
		}
	case strings.Contains(low, " start= disabled"):
		if p.before() {
			p.Step = stepStopServices
		}
	case strings.HasPrefix(low, "shutdown.exe -r"):
		p.Step = stepRestart
	case strings.Contains(low, `\exchangesetup.log'`):
		p.Log = p.Step == stepVerify
	case strings.HasPrefix(low, "rd ") && taskWord.MatchString(q.text):
		p.Step = stepTidy
	case taskWord.MatchString(q.text):
		m := taskWord.FindStringSubmatch(q.text)
		attempt, err := strconv.Atoi(m[3])
		if err == nil {
			p.task(m[1], m[2], attempt)
		}
	case strings.Contains(low, "folder_list") && strings.Contains(low, `c:\wavekeeper\tasks'`):
		p.tasks(last)
	}
}

// services is a question for all services.
func (p *progress) services() {
	switch {
	case p.Step == stepPreflight && p.Looked:
		p.Step, p.Looked = stepRecord, false
	case p.Step == stepRecord && p.Settings, p.Step == stepDrainUM, p.Step == stepDrainTransport, p.Step == stepUMOut:
		p.Step = stepStopServices
	}
}

// before reports whether the step is one between record and those that stop
// services.
func (p *progress) before() bool {
	return slices.Contains([]string{stepRecord, stepDrainUM, stepDrainTransport, stepUMOut}, p.Step)
}

// reaches reports whether a step comes after the one that the host is in: tasks
// of earlier ones are looked at again as evidence, and removed.
func (p *progress) reaches(step string) bool {
	in := p.Step
	if in == stepFacts && p.Returned != "" && p.Returned != stepTidy {
		in = p.Returned
	}
	return slices.Index(faultSteps, step) >= slices.Index(faultSteps, in)
}

// stepOfTask are the steps that a host task's word names, the longest word first.
var stepOfTask = []struct{ word, step string }{
	{"um-disable", stepDrainUM},
	{"um-look-", stepDrainUM},
	{"queues-", stepDrainTransport},
	{"um-out-", stepUMOut},
	{"fsc-disable", stepForefront},
	{"firewall", stepFirewall},
	{"um-in-", stepUMIn},
	{"settings-look", stepSettingsBack},
	{"set-", stepSettingsBack},
	{"settings-unwound", stepPutBack},
	{"unset-", stepPutBack},
	{"health-", stepFunctional},
	{"um-enable-", stepUndrain},
	{"um-seen-", stepUndrain},
}

// roles is a reading of the roles' keys.
func (p *progress) roles(whole bool) {
	switch {
	case p.Step == stepTidy || p.Step == stepPutBack || p.Step == stepRestart || p.Step == stepSetup && p.Roles && whole:
		p.Step, p.Log = stepVerify, false
	case p.Step == stepSetup:
		p.Roles = true
	}
}

// task is a question about one task.
func (p *progress) task(upgrade, word string, attempt int) {
	if strings.HasPrefix(word, "media-") { // of a staging, whose number is another one than the upgrade's
		if p.Step == stepFacts {
			p.Step = stepStage
		}
		return
	}
	if upgrade != p.Upgrade {
		p.Upgrade, p.Attempt, p.Named = upgrade, 0, 0
	}
	switch word {
	case "reach-user", "reach-system", "look-exchange":
		if p.Step == stepStage || p.Step == stepFacts && (p.Returned == "" || p.Returned == stepTidy) || p.Step == stepInspect {
			p.Step = stepInspect
		}
	case "media", "canary":
		between := p.Step == stepStage || p.Step == stepInspect || p.Step == stepFacts && (p.Returned == "" || p.Returned == stepTidy)
		if between || p.Step == stepPreflight || attempt > p.Attempt { // else it is looked at once more, as evidence
			p.Step, p.Looked = stepPreflight, false
		}
	case "revocation":
		if p.Step != stepTidy && !p.before() { // um-out runs Setup too
			p.Step = stepPutBack
		}
	case "record", "settings":
		if p.Step == stepPreflight || p.Step == stepFacts && p.Returned == stepRecord {
			p.Step, p.Looked = stepRecord, false
		}
		p.Settings = p.Settings || word == "settings" && p.Step == stepRecord
	case "setup":
		switch {
		case attempt > p.Attempt:
			p.Step, p.Attempt, p.Roles = stepSetup, attempt, false
		case p.Step == stepSetup:
			p.Roles = false
		case p.Step == stepFacts && p.Returned == stepSetup && attempt == p.Attempt:
			p.Step, p.Roles = stepSetup, false
		case p.Step == stepFacts:
			p.Step = stepPreflight
		}
	default:
		for _, known := range stepOfTask {
			if !strings.HasPrefix(word, known.word) {
				continue
			}
			if attempt > p.Named || p.reaches(known.step) {
				p.Step, p.Named, p.Settings = known.step, max(p.Named, attempt), false
			}
			return
		}
	}
}

// tasks is a look among all tasks.
func (p *progress) tasks(last string) {
	switch p.Step {
	case stepFacts:
		if p.Returned == "" || p.Returned == stepTidy {
			p.Step = stepPreflight
		}
	case stepVerify, stepPutBack, stepStopServices, stepForefront, stepFirewall, stepDrainUM, stepDrainTransport, stepUMOut,
		stepRestart, stepUMIn, stepSettingsBack, stepServicesBack, stepFunctional, stepUndrain:
		switch {
		case p.before(): // um-out looks for a Setup that runs
		case last == askedProcesses:
			p.Step = stepPutBack
		case !p.Log:
			p.Step = stepTidy
		}
		p.Log = false
	case stepSetup:
		if last == askedProcesses {
			p.Step = stepPutBack
		}
	}
}

// Step is the runbook's step in which a host seems to be, by what was asked of
// it last: one of FaultSteps. The type progress says how it is inferred.
func (f *Fleet) Step(name string) (string, error) {
	h, err := f.host(name)
	if err != nil {
		return "", err
	}
	step := ""
	h.look(func() { step = h.state.Progress.Step })
	if step == "" {
		step = stepFacts
	}
	return step, nil
}

// host finds a host by its name.
func (f *Fleet) host(name string) (*host, error) {
	var names []string
	for _, h := range f.hosts {
		if strings.EqualFold(h.name, name) {
			return h, nil
		}
		names = append(names, h.name)
	}
	return nil, fmt.Errorf("no host named %s%s", name, hint(name, names))
}
