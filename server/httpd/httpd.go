// Package httpd is the console: addresses, forms and event streams. A handler
// reads the request, calls the store and renders a page; it decides nothing
// that the store or rollout decides. Errors are answered in one place, see edge.go.
package httpd

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"wavekeeper/server/auth"
	"wavekeeper/server/live"
	"wavekeeper/server/rollout"
	"wavekeeper/server/store"
)

// Options is what the console is made of.
type Options struct {
	Store     *store.Store
	Live      *live.Hub
	Runbooks  rollout.Books    // what a plan's servers walk
	Demo      bool             // every page says so
	Insecure  bool             // cookies also over http: the demo, or a loopback address
	Proxies   []netip.Prefix   // whose X-Forwarded-For says where a browser is; of nobody else is it believed
	Log       *slog.Logger     // request errors; required
	Now       func() time.Time // the clock; nil = time.Now
	Fixes     []Fix            // repairs that a person may have done
	Constants []Constant       // what the program takes for granted, as first contacts test it
	KeyID     string           // the key with which this console opens secrets; "" = not known
	Patience  time.Duration    // how long a page or a form may take to be worked out; 0 = 30 s
}

type server struct {
	Options
	sessions *scs.SessionManager
	assets   assets
	reports  reportCache
	chain    chainCheck
	streams  streams
}

// MaxHeader is how much a request's header may hold, for http.Server.
const MaxHeader = maxHeader

// New makes the console's handler.
func New(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Patience == 0 {
		o.Patience = pageTime
	}
	s := &server{Options: o, assets: loadAssets(), streams: streams{open: map[int64]int{}}}
	s.sessions = scs.New()
	s.sessions.Store = o.Store.Sessions()
	s.sessions.HashTokenInStore = true
	s.sessions.Lifetime = 12 * time.Hour
	s.sessions.Cookie.Name = "wavekeeper"
	if !o.Insecure {
		s.sessions.Cookie.Name = "__Host-wavekeeper" // browsers take it from this very host over https only
	}
	s.sessions.Cookie.SameSite = http.SameSiteLaxMode
	s.sessions.Cookie.Secure = !o.Insecure
	s.sessions.ErrorFunc = s.unkept
	return s.routes()
}

// routes is the table of contents: every address, in one place.
func (s *server) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(s.asRequest, s.recovered, s.secureHeaders, s.comesFrom, limitBody)
	r.Get("/healthz", healthy)
	r.Get("/static/*", s.assets.serve)

	r.Group(func(r chi.Router) {
		r.Use(http.NewCrossOriginProtection().Handler, s.withSession, s.readable)

		// Event streams: never compressed, never buffered.
		r.Group(func(r chi.Router) {
			r.Use(s.few)
			r.Get("/stream", s.on(s.homeStream))
			r.Get("/servers/stream", s.on(s.serversStream))
			r.Get("/findings/stream", s.on(s.findingsStream))
			r.Get("/rollouts/{rollout}/stream", s.on(s.rolloutStream))
			r.Get("/rollouts/{rollout}/upgrades/{server}/stream", s.on(s.upgradeStream))
		})

		r.Group(func(r chi.Router) {
			r.Use(middleware.Compress(5, "text/html", "text/plain", "text/csv", "application/x-ndjson"))

			// Who is there.
			r.Get("/signin", s.on(s.signInForm))
			r.Post("/signin", s.on(s.signIn))
			r.Post("/signout", s.on(s.signOut))
			r.Get("/first-admin", s.on(s.firstAdminForm))
			r.Post("/first-admin", s.on(s.firstAdmin))
			r.Post("/theme", s.on(s.setTheme))

			r.Get("/", s.on(s.home))

			// Servers.
			r.Get("/servers", s.on(s.servers))
			r.Post("/servers/probe", s.on(s.probeServers))
			r.Post("/servers/contact", s.on(s.contactServers))
			r.Get("/constants", s.on(s.constants))
			r.Get("/recovery", s.on(s.recoveries))
			r.Get("/recovery/{name}", s.on(s.recovery))
			r.Get("/servers/import", s.on(s.importForm))
			r.Post("/servers/import", s.on(s.importPreview))
			r.Post("/servers/import/apply", s.on(s.importApply))
			r.Get("/servers/{server}", s.on(s.server))
			r.Post("/servers/{server}/probe", s.on(s.probeServer))
			r.Get("/servers/{server}/certificates/{pin}", s.on(s.certificateAsk))
			r.Post("/servers/{server}/certificates/{pin}", s.on(s.certificateDecide))

			// How hosts are reached.
			r.Get("/profiles", s.on(s.profiles))
			r.Get("/profiles/{profile}", s.on(s.profile))
			r.Get("/profiles/{profile}/retry", s.on(s.credentialRetryAsk))
			r.Post("/profiles/{profile}/retry", s.on(s.credentialRetry))
			r.Post("/servers/{server}/contact", s.on(s.contactServer))

			// Findings: checks outside upgrades, waivers, fixes, what is known of the organization.
			r.Get("/findings", s.on(s.findings))
			r.Post("/findings/check", s.on(s.checkServers))
			r.Post("/findings/cancel", s.on(s.checksCancel))
			r.Get("/servers/{server}/findings", s.on(s.serverFindings))
			r.Get("/servers/{server}/waive", s.on(s.waiveAsk))
			r.Post("/servers/{server}/waive", s.on(s.waive))
			r.Get("/servers/{server}/fix", s.on(s.fixAsk))
			r.Post("/servers/{server}/fix", s.on(s.fix))
			r.Get("/servers/{server}/reapply", s.on(s.reapplyAsk))
			r.Post("/servers/{server}/reapply", s.on(s.reapply))
			r.Get("/waivers/{waiver}", s.on(s.waiver))
			r.Post("/waivers/{waiver}", s.on(s.waiverDecide))
			r.Get("/fixes/{fix}", s.on(s.fixShow))
			r.Post("/fixes/{fix}", s.on(s.fixDecide))
			r.Get("/rules", s.on(s.rules))
			r.Get("/rules/{rule}", s.on(s.rule))
			r.Get("/organization", s.on(s.organization))
			r.Post("/organization", s.on(s.organizationEnter))
			r.Post("/organization/drop", s.on(s.organizationDrop))
			r.Post("/organization/decide", s.on(s.organizationDecide))
			r.Post("/organization/withdraw", s.on(s.organizationWithdraw))
			r.Post("/organization/look", s.on(s.organizationLook))

			// Media.
			r.Get("/media", s.on(s.media))
			r.Get("/media/{media}", s.on(s.medium))

			// Plans.
			r.Get("/plans", s.on(s.plans))
			r.Get("/plans/new", s.on(s.planNew))
			r.Get("/plans/organization", s.on(s.planOrganization))
			r.Post("/plans/organization", s.on(s.planOrganizationCreate))
			r.Post("/plans", s.on(s.planCreate))
			r.Get("/plans/{plan}", s.on(s.plan))
			r.Get("/plans/{plan}/revisions/{number}", s.on(s.plan))
			r.Get("/plans/{plan}/edit", s.on(s.planEdit))
			r.Post("/plans/{plan}/revisions", s.on(s.planRevise))
			r.Post("/plans/{plan}/submit", s.on(s.planSubmit))
			r.Post("/plans/{plan}/prepared", s.on(s.planPrepared))

			// Rollouts.
			r.Get("/rollouts", s.on(s.rollouts))
			r.Get("/rollouts/{rollout}", s.on(s.rollout))
			r.Get("/rollouts/{rollout}/pause", s.on(s.rolloutAsk(pauseQuestion)))
			r.Post("/rollouts/{rollout}/pause", s.on(s.rolloutDo(auth.Pause, s.Store.PauseRollout, "The rollout is paused.")))
			r.Get("/rollouts/{rollout}/resume", s.on(s.rolloutAsk(resumeQuestion)))
			r.Post("/rollouts/{rollout}/resume", s.on(s.rolloutDo(auth.Resume, s.Store.ResumeRollout, "The rollout goes on.")))
			r.Get("/rollouts/{rollout}/stop", s.on(s.rolloutAsk(stopQuestion)))
			r.Post("/rollouts/{rollout}/stop", s.on(s.rolloutDo(auth.Stop, s.Store.StopRollout, "The rollout is stopped: nothing starts in it any more.")))
			r.Get("/rollouts/{rollout}/reject", s.on(s.rolloutAsk(rejectQuestion)))
			r.Post("/rollouts/{rollout}/reject", s.on(s.rolloutReject))

			// Waves.
			r.Get("/rollouts/{rollout}/waves/{wave}", s.on(s.wave))
			r.Post("/rollouts/{rollout}/waves/{wave}/approve", s.on(s.waveApprove))
			r.Post("/rollouts/{rollout}/waves/{wave}/withdraw", s.on(s.waveWithdraw))
			r.Post("/rollouts/{rollout}/waves/{wave}/stage", s.on(s.waveStage))
			r.Post("/rollouts/{rollout}/waves/{wave}/unstage", s.on(s.waveUnstage))
			r.Get("/rollouts/{rollout}/waves/{wave}/resume", s.on(s.waveResumeAsk))
			r.Post("/rollouts/{rollout}/waves/{wave}/resume", s.on(s.waveResume))

			// Upgrades: one server in one rollout.
			r.Get("/rollouts/{rollout}/upgrades/{server}", s.on(s.upgrade))
			r.Get("/rollouts/{rollout}/upgrades/{server}/log", s.on(s.upgradeLog))
			r.Get("/rollouts/{rollout}/upgrades/{server}/retry", s.on(s.upgradeRetryAsk))
			r.Post("/rollouts/{rollout}/upgrades/{server}/retry", s.on(s.upgradeRetry))
			r.Get("/rollouts/{rollout}/upgrades/{server}/skip", s.on(s.upgradeSkipAsk))
			r.Post("/rollouts/{rollout}/upgrades/{server}/skip", s.on(s.upgradeSkip))
			r.Get("/rollouts/{rollout}/upgrades/{server}/verify", s.on(s.upgradeVerifyAsk))
			r.Post("/rollouts/{rollout}/upgrades/{server}/verify", s.on(s.upgradeVerify))
			r.Get("/rollouts/{rollout}/upgrades/{server}/look", s.on(s.upgradeLookAsk))
			r.Post("/rollouts/{rollout}/upgrades/{server}/look", s.on(s.upgradeLook))
			r.Get("/rollouts/{rollout}/upgrades/{server}/doubt", s.on(s.upgradeDoubtAsk))
			r.Post("/rollouts/{rollout}/upgrades/{server}/doubt", s.on(s.upgradeDoubt))
			r.Get("/rollouts/{rollout}/upgrades/{server}/clear", s.on(s.upgradeClearAsk))
			r.Post("/rollouts/{rollout}/upgrades/{server}/clear", s.on(s.upgradeClear))
			r.Get("/rollouts/{rollout}/upgrades/{server}/undo", s.on(s.upgradeUndoAsk))
			r.Post("/rollouts/{rollout}/upgrades/{server}/undo", s.on(s.upgradeUndo))

			// Evidence: what was read from a host in trouble.
			r.Get("/rollouts/{rollout}/upgrades/{server}/evidence.zip", s.on(s.evidenceZip))
			r.Get("/rollouts/{rollout}/upgrades/{server}/evidence/{evidence}", s.on(s.evidence))
			r.Get("/rollouts/{rollout}/upgrades/{server}/evidence/{evidence}/raw", s.on(s.evidenceRaw))

			// The record.
			r.Get("/history", s.on(s.history))
			r.Get("/history.csv", s.on(s.historyCSV))
			r.Get("/history.ndjson", s.on(s.historyNDJSON))
		})
	})
	r.NotFound(s.withSession(s.on(nowhere)).ServeHTTP)
	return r
}

func nowhere(http.ResponseWriter, *http.Request) error {
	return rollout.NotFound("There is no page at this address.")
}
