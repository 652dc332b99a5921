package store

import (
	"encoding/json"
	"fmt"
	"strings"

	"wavekeeper/server/exchange"
	"wavekeeper/server/preflight"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store/db"
)

// lookCluster keeps the newest look at the cluster of a server's nodes.
func (one *reading) lookCluster(r db.FleetRow) {
	if len(r.ClusterFact) == 0 || r.ClusterAt == nil || !r.ClusterAt.After(one.clusterAt) {
		return
	}
	var c preflight.Cluster
	if json.Unmarshal(r.ClusterFact, &c) == nil {
		one.cluster, one.clusterAt = c, *r.ClusterAt
	}
}

// judgeCluster lets what was seen of the cluster count: the host of its witness,
// and the builds of its clustered mailbox servers, which may be older than those
// of the nodes (/UpgradeCms was not run). Of them Active Directory knows the service
// pack, so that a rollup of the nodes is no lag. Where the look is older than the
// readings by more than what is fresh, the lag may be made up for or not: a doubt,
// which a check of the server settles.
func (one *reading) judgeCluster() {
	if one.clusterAt.IsZero() {
		return
	}
	one.witness = witnessHost(one.cluster.Witness)
	old := one.readAt.Sub(one.clusterAt) > rollout.FactsFresh
	for _, cms := range one.cluster.CMS {
		build, err := exchange.ParseBuild(cms.Build)
		lags := err == nil && !build.IsZero() && !one.build.IsZero() && build.ServicePack() < one.build.ServicePack()
		switch {
		case lags && old:
			one.doubts = append(one.doubts, fmt.Sprintf("%s was at %s when its cluster was looked at, and its nodes are at %s since: whether Setup /UpgradeCms was run is not known until the server is checked", cms.Name, build, one.build))
		case lags:
			one.build = build
		}
	}
}

// witnessHost is the host of a share such as \\HUB01.contoso.com\witness: HUB01.
func witnessHost(share string) string {
	host, _, _ := strings.Cut(strings.TrimLeft(share, `\`), `\`)
	host, _, _ = strings.Cut(host, ".")
	return strings.ToUpper(host)
}
