package windows

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Looked is what a host task's exchange-look said: the facts of the parts that
// were read whole, and why others were not, by part.
type Looked struct {
	Facts  []Fact
	Failed map[string]string
}

// startTypes are the start types of services by name, as WMI says them: what the
// caller knows of the host besides.
type startTypes = map[string]string

// ReadExchangeLook puts the facts together of what exchange-look said of a
// server, asked for its parts under the names of its servers. at is when.
func ReadExchangeLook(said Records, servers []string, starts startTypes, at time.Time) Looked {
	l := Looked{Failed: map[string]string{}}
	whole := map[string]int{}
	for _, line := range said.All("asked") {
		part, _, _ := strings.Cut(line, "|")
		whole[part]++
	}
	for _, line := range said.All("failed") {
		f := strings.SplitN(line, "|", 3)
		l.Failed[f[0]] = clipTo(f[len(f)-1], 200)
	}
	for _, p := range exchangeLooks {
		_, failed := l.Failed[p.name]
		if whole[p.name] == 0 && !failed {
			continue // not asked for
		}
		for _, name := range p.facts {
			value, err := exchangeFact(name, said, servers, starts, failed)
			if err != nil {
				l.Failed[p.name] = err.Error()
				continue
			}
			if value == nil {
				continue
			}
			l.Facts = append(l.Facts, Fact{Name: name, Value: value, Source: "script exchange-look, part " + p.name + ": " + p.ask, At: at})
		}
	}
	return l
}

// exchangeFact is one fact; nil when its part failed and something of it counts.
func exchangeFact(name string, said Records, servers []string, starts startTypes, failed bool) (any, error) {
	if name == "pop3" || name == "imap4" {
		word, service := "pop", "MSExchangePop3"
		if name == "imap4" {
			word, service = "imap", "MSExchangeImap4"
		}
		return MailClientFact{LoginType: said.Get(word), ServiceStart: starts[strings.ToLower(service)]}, nil
	}
	if failed {
		return nil, nil
	}
	switch name {
	case "receive_connectors":
		return each(said, "connector", 4, func(f []string) (ReceiveConnectorFact, error) {
			return ReceiveConnectorFact{Name: f[3], FQDN: f[0], Auth: flags(f[1]), Bindings: strings.Fields(f[2])}, nil
		})
	case "certificates":
		return each(said, "certificate", 7, func(f []string) (CertificateFact, error) {
			end, err := ticks(f[2])
			return CertificateFact{
				Thumbprint: f[0], Subject: f[6], Services: flags(f[1]), NotAfter: end, SelfSigned: f[3] == "True", PrivateKey: f[4] == "True", Names: strings.Fields(f[5]),
			}, err
		})
	case "transport_agents":
		return each(said, "agent", 5, func(f []string) (TransportAgentFact, error) {
			priority, err := strconv.Atoi(f[1])
			return TransportAgentFact{Name: f[4], Enabled: f[0] == "True", Priority: priority, Assembly: f[3], Microsoft: strings.HasPrefix(strings.ToLower(f[2]), "microsoft")}, err
		})
	case "um":
		return umFact(said)
	case "backups":
		return each(said, "database", 5, func(f []string) (BackupFact, error) {
			last, err := ticks(f[3])
			fact := BackupFact{Database: f[4], LastFull: last}
			if running := f[2] == "True"; running || f[2] == "False" {
				fact.Running = &running
			}
			return fact, err
		})
	case "databases":
		return each(said, "database", 5, func(f []string) (DatabaseFact, error) {
			return DatabaseFact{Name: f[4], Public: f[0] == "p", Mounted: f[1] == "True"}, nil
		})
	case "oab":
		return oabFact(said, servers)
	case "smtp_domains":
		return smtpDomains(said), nil
	case "event_log_levels":
		levels := map[string]string{}
		for _, line := range said.All("level") {
			if level, at, ok := strings.Cut(line, "|"); ok && len(levels) < 1000 {
				levels[at] = level
			}
		}
		return levels, nil
	case "queues":
		return queuesFact(said)
	case "static_dc":
		return staticDC(said), nil
	}
	return nil, fmt.Errorf("no way to read fact %s", name)
}

// each reads the records of a name, of which each has so many fields.
func each[T any](said Records, name string, fields int, read func([]string) (T, error)) (any, error) {
	out := []T{}
	for _, line := range said.All(name) {
		f := strings.SplitN(line, "|", fields)
		if len(f) != fields {
			return nil, fmt.Errorf("%s %q was not understood", name, clipTo(line, 120))
		}
		one, err := read(f)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", name, clipTo(line, 120), err)
		}
		if out = append(out, one); len(out) > 500 {
			return nil, fmt.Errorf("more than 500 of %s", name)
		}
	}
	return out, nil
}

// flags are the names of a .NET enumeration of flags, "Tls, ExchangeServer".
func flags(text string) []string {
	out := []string{}
	for _, f := range strings.Split(text, ",") {
		if f = strings.TrimSpace(f); f != "" && f != "None" {
			out = append(out, f)
		}
	}
	return out
}

// ticks turns .NET's ticks in UTC into RFC 3339; "" stays so.
func ticks(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return "", fmt.Errorf("%q are no ticks", clipTo(text, 40))
	}
	const to1970 = 62135596800 // seconds from the year 1
	return time.Unix(n/1e7-to1970, 0).UTC().Format(time.RFC3339), nil
}

func umFact(said Records) (any, error) {
	f := strings.SplitN(said.Get("um"), "|", 3)
	calls, err := strconv.Atoi(said.Get("calls"))
	if len(f) != 3 || err != nil {
		return nil, fmt.Errorf("um %q, calls %q were not understood", clipTo(said.Get("um"), 120), said.Get("calls"))
	}
	fact := UMFact{Status: f[0], Languages: append([]string{}, strings.Fields(f[1])...), Calls: calls, DefaultLanguages: map[string]string{}}
	mine := strings.Fields(f[2])
	for _, line := range said.All("plan") {
		language, name, ok := strings.Cut(line, "|")
		if ok && slices.Contains(mine, strings.ReplaceAll(name, " ", "_")) {
			fact.DefaultLanguages[name] = language
		}
	}
	return fact, nil
}

// oabFact: a book whose server was deleted points to where deleted objects go, or
// to nothing.
func oabFact(said Records, servers []string) (any, error) {
	fact := OABFact{Generates: []string{}, Orphaned: []string{}}
	for _, line := range said.All("book") {
		f := strings.SplitN(line, "|", 3)
		if len(f) != 3 {
			return nil, fmt.Errorf("book %q was not understood", clipTo(line, 120))
		}
		switch {
		case fold(servers, f[0]):
			fact.Generates = append(fact.Generates, f[2])
		case f[0] == "" || strings.Contains(f[1], "CN=Deleted Objects,"):
			fact.Orphaned = append(fact.Orphaned, f[2])
		}
	}
	return fact, nil
}

// smtpDomains are the accepted domains and those of the addresses that policies
// give, "SMTP:%m@contoso.com", in lower case, without wildcards.
func smtpDomains(said Records) []string {
	out := []string{}
	for _, d := range said.All("domain") {
		out = append(out, strings.TrimPrefix(strings.ToLower(d), "*."))
	}
	for _, template := range said.All("template") {
		kind, address, ok := strings.Cut(template, ":")
		if i := strings.LastIndexByte(address, '@'); ok && i >= 0 && strings.EqualFold(kind, "smtp") {
			out = append(out, strings.ToLower(address[i+1:]))
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), 1000)]
}

func queuesFact(said Records) (any, error) {
	fact := QueuesFact{}
	for _, line := range said.All("queue") {
		count, name, ok := strings.Cut(line, "|")
		n, err := strconv.Atoi(count)
		if !ok || err != nil {
			return nil, fmt.Errorf("queue %q was not understood", clipTo(line, 120))
		}
		if strings.HasSuffix(strings.ToLower(name), `\poison`) {
			continue // it never empties by itself (itprotoday, "Handling Poison Messages with Exchange 2007")
		}
		fact.Total += n
		if strings.HasSuffix(strings.ToLower(name), `\submission`) {
			fact.Submission += n
		}
	}
	return fact, nil
}

func staticDC(said Records) StaticDCFact {
	config, controllers, _ := strings.Cut(said.Get("controllers"), "|")
	return StaticDCFact{Config: config, Controllers: append([]string{}, strings.Fields(controllers)...)}
}

// StartTypes are the start types of all services, by lower-case name.
func (h *Host) StartTypes(ctx context.Context) (map[string]string, error) {
	all, err := h.Services(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, s := range all {
		out[strings.ToLower(s.Name)] = s.StartMode
	}
	return out, nil
}
