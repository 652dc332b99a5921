package runbook

import (
	"context"
	"slices"
	"strings"

	"wavekeeper/agentless/windows"
)

// product is software that hooks into Exchange, with its services in the order
// in which they are stopped.
type product struct {
	name     string
	services []string
	source   string
}

// products are stopped in this order. Forefront has a step of its own.
var products = []product{
	{"Symantec Backup Exec", []string{"BackupExecAgentAccelerator", "BackupExecJobEngine", "BackupExecRPCService", "BackupExecDeviceMediaService", "BackupExecAgentBrowser"}, "msxfaq.de (Service Packs für Exchange 2007); names remembered"},
	{"Trend Micro ScanMail", []string{"ScanMail_Master", "ScanMail_RemoteConfig", "ScanMail_SystemWatcher", "EUQ_Monitor"}, "msxfaq.de (Service Packs für Exchange 2007); the first name of public scripts, the others remembered"},
	{"Symantec Mail Security", []string{"SMSMSE", "SAVFMSELog", "SAVFMSESJM", "SAVFMSESpamStatsManager"}, "remembered"},
	{"McAfee GroupShield", []string{"McAfeeGroupShieldExchange", "RPCServ", "SAFeService"}, "remembered"},
}

// companies make software that hooks into Exchange: their services are stopped
// when they also depend on one of Exchange's, or where their names speak of
// Exchange or of mail. Remembered.
var companies = []string{"symantec", "veritas", "trend micro", "mcafee", "gfi", "sophos", "kaspersky", "f-secure", "commvault"}

// inTheWay lists the services beside the inventory's that have to stop: known
// products, what depends on Exchange's services, and what those companies made
// for mail. One that the cluster manages never is, nor Forefront, which has its
// own way. A service that neither runs nor starts by itself is left alone.
func inTheWay(ctx context.Context, w *Work) (names, clusterManaged []string, err error) {
	foreign, err := w.Host.ForeignServices(ctx)
	if err != nil && windows.Unreached(err) {
		return nil, nil, err
	}
	// Read by WMI alone: where that does not answer, the list of names has to do.
	managed := map[string]bool{}
	var byMaker []string
	for _, f := range foreign {
		if managed[strings.ToLower(f.Name)] = f.ClusterManaged; f.ClusterManaged {
			clusterManaged = append(clusterManaged, f.Name)
		}
		if f.ClusterManaged || forefrontService(f.Name) {
			continue
		}
		needsExchange := slices.ContainsFunc(f.DependsOn, func(n string) bool { return strings.HasPrefix(strings.ToLower(n), "msexchange") })
		maker := slices.ContainsFunc(companies, func(c string) bool { return strings.HasPrefix(strings.ToLower(f.Company), c) })
		text := strings.ToLower(f.Display + " " + f.Name)
		forMail := strings.Contains(text, "exchange") || strings.Contains(text, "mail")
		if needsExchange || maker && forMail {
			byMaker = append(byMaker, f.Name)
		}
	}
	all, err := w.Host.Services(ctx)
	if err != nil {
		return nil, nil, err
	}
	add := func(name string) {
		s, found := windows.FindService(all, name)
		known := slices.ContainsFunc(append(slices.Clone(w.Server.Services), names...), func(n string) bool { return strings.EqualFold(n, name) })
		if found && !known && !managed[strings.ToLower(name)] && (s.State != windows.Stopped || s.StartMode == windows.StartAuto) {
			names = append(names, s.Name)
		}
	}
	for _, p := range products {
		for _, name := range p.services {
			add(name)
		}
	}
	for _, name := range byMaker {
		add(name)
	}
	return names, clusterManaged, nil
}

// forefrontService reports whether a service is one of Forefront Security for
// Exchange Server. FSCController is of the Exchange team's script, the others are
// remembered.
func forefrontService(name string) bool {
	return slices.ContainsFunc([]string{forefrontController, "FSCMonitor", "FSCStatisticsService", "FSEIMC", "FSEMailPickup", "FSCEventing"},
		func(f string) bool { return strings.EqualFold(f, name) })
}

const forefrontController = "FSCController"
