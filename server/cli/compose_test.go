package cli

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"wavekeeper/agentless/twin"
)

// composeFile is docker-compose.yml as far as it may be used here; the reader
// refuses any other key.
type composeFile struct {
	Name     string                    `yaml:"name"`
	Services map[string]composeService `yaml:"services"`
	Volumes  map[string]any            `yaml:"volumes"`
	Secrets  map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
	Image    map[string]any `yaml:"x-image"`
	Confined map[string]any `yaml:"x-confined"`
}

type composeService struct {
	Image string `yaml:"image"`
	Build struct {
		Context    string `yaml:"context"`
		Dockerfile string `yaml:"dockerfile"`
	} `yaml:"build"`
	Command     []string          `yaml:"command"`
	Entrypoint  []string          `yaml:"entrypoint"`
	Environment map[string]string `yaml:"environment"`
	Secrets     []string          `yaml:"secrets"`
	Volumes     []string          `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
	NetworkMode string            `yaml:"network_mode"`
	Profiles    []string          `yaml:"profiles"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
		Restart   bool   `yaml:"restart"`
	} `yaml:"depends_on"`
	Healthcheck struct {
		Test        []string `yaml:"test"`
		Interval    string   `yaml:"interval"`
		Timeout     string   `yaml:"timeout"`
		Retries     int      `yaml:"retries"`
		StartPeriod string   `yaml:"start_period"`
		Disable     bool     `yaml:"disable"`
	} `yaml:"healthcheck"`
	Restart         string   `yaml:"restart"`
	StopGracePeriod string   `yaml:"stop_grace_period"`
	ReadOnly        bool     `yaml:"read_only"`
	CapDrop         []string `yaml:"cap_drop"`
	SecurityOpt     []string `yaml:"security_opt"`
	Tmpfs           []string `yaml:"tmpfs"`
}

// readCompose reads the file as Compose does where its variables are not set.
func readCompose(text string) (composeFile, error) {
	var file composeFile
	text = regexp.MustCompile(`\$\{\w+:-([^}]*)\}`).ReplaceAllString(text, "$1")
	if strings.Contains(text, "$") {
		return file, fmt.Errorf("a variable without a default, or a $ that is not doubled")
	}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(&file)
	return file, err
}

// secretDir is where Compose mounts secrets.
const secretDir = "/run/secrets/"

// path finds what a container's path is outside: a secret, a file of the image,
// or something in a volume. It returns a file that exists here, for the parser.
func (s composeService) path(image *stage, name string) (string, error) {
	if secret, ok := strings.CutPrefix(name, secretDir); ok {
		if !slices.Contains(s.Secrets, secret) {
			return "", fmt.Errorf("%s: the service has no secret %s", name, secret)
		}
		return composeSecrets, nil // any file
	}
	if source, ok := image.holds(name); ok {
		return deployRoot + source, nil
	}
	for _, v := range s.Volumes {
		_, at, _ := strings.Cut(v, ":")
		if name == at || strings.HasPrefix(name, at+"/") {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s: neither a secret nor a file of the image nor in a volume", name)
}

// words resolves the container's paths among a command's words.
func (s composeService) words(image *stage, words []string) (resolved []string, err error) {
	for _, w := range words {
		name, value, joined := strings.Cut(w, "=")
		if !joined {
			name, value = "", w
		}
		if strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "/bin/") {
			if value, err = s.path(image, value); err != nil {
				return nil, err
			}
		}
		if joined {
			value = name + "=" + value
		}
		resolved = append(resolved, value)
	}
	return resolved, nil
}

// commands are the program's command lines that a service runs: itself, or by a shell.
func commands(line []string) [][]string {
	if len(line) == 0 || line[0] != "/bin/sh" {
		return [][]string{line}
	}
	var all [][]string
	for _, l := range regexp.MustCompile(`(?:^|[\n;] *|if )(wavekeeper [^\n|;]*)`).FindAllStringSubmatch(line[len(line)-1], -1) {
		all = append(all, strings.Fields(strings.ReplaceAll(l[1], "'", "")))
	}
	return all
}

// programProblems parses what a service runs with the program's own parser, and
// looks for its environment among the settings of what it runs.
func (s composeService) programProblems(t *testing.T, image *stage, line []string) []string {
	t.Helper()
	var problems, known []string
	lines := commands(line)
	if len(lines) == 0 {
		problems = append(problems, "it runs nothing")
	}
	for _, words := range lines {
		if len(words) < 2 || words[0] != "wavekeeper" {
			problems = append(problems, fmt.Sprintf("%v is no command of the program", words))
			continue
		}
		n := model(t).Node
		for _, w := range words[1:] {
			if n.Type == kong.CommandNode && len(n.Children) == 0 {
				break
			}
			if n = subcommand(n, w); n == nil {
				break
			}
		}
		if n == nil {
			problems = append(problems, fmt.Sprintf("%v: no such command", words))
			continue
		}
		for _, f := range n.Flags {
			known = append(known, f.Envs...)
		}
		args, err := s.words(image, words[1:])
		if err == nil {
			err = parse(t, args)
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("%v: %v", words, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		if !slices.Contains(known, name) {
			problems = append(problems, fmt.Sprintf("environment %s is no setting of what it runs", name))
		}
		if _, value, ok := strings.Cut(s.Environment[name], "="); ok || strings.HasPrefix(s.Environment[name], "/") {
			if !ok {
				value = s.Environment[name]
			}
			if _, err := s.path(image, value); err != nil {
				problems = append(problems, fmt.Sprintf("environment %s: %v", name, err))
			}
		}
	}
	return problems
}

// parse reads a command line without running it.
func parse(t *testing.T, args []string) error {
	t.Helper()
	parser, err := newParser(io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(args)
	return err
}

func portOf(address string) string { return address[strings.LastIndex(address, ":")+1:] }

// healthProblems holds a health check to the addresses at which the program answers.
func (s composeService) healthProblems(t *testing.T, image *stage, test []string) []string {
	t.Helper()
	if len(test) > 0 && test[0] == "CMD" {
		test = test[1:]
	}
	asks := composeService{}
	problems := asks.programProblems(t, image, test)
	asked, err := url.Parse(test[len(test)-1])
	if err != nil {
		return append(problems, err.Error())
	}
	at := map[string]string{"/healthz": s.Environment["WAVEKEEPER_LISTEN"], "/readyz": s.Environment["WAVEKEEPER_METRICS_LISTEN"]}[asked.Path]
	if at == "" || portOf(at) != asked.Port() || asked.Hostname() != "127.0.0.1" {
		problems = append(problems, fmt.Sprintf("%s is asked, the program answers at %q", asked, at))
	}
	return problems
}

// composeProblems compares docker-compose.yml with the image, the repository and
// the program.
func composeProblems(t *testing.T, text string) []string {
	t.Helper()
	file, err := readCompose(text)
	if err != nil {
		return []string{err.Error()}
	}
	built, err := readDockerfile(readText(t, dockerfilePath))
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	used := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(file.Services)) {
		s := file.Services[name]
		all := append(s.shapeProblems(file, used), s.orderProblems(file)...)
		if s.Build.Context != "" {
			all = append(all, s.ourProblems(t, built.image())...)
		} else {
			all = append(all, s.postgresProblems()...)
		}
		for _, p := range all {
			problems = append(problems, name+": "+p)
		}
	}
	for name := range file.Volumes {
		if !used["volume "+name] {
			problems = append(problems, "volume "+name+" is not used")
		}
	}
	for name := range file.Secrets {
		if !used["secret "+name] {
			problems = append(problems, "secret "+name+" is not used")
		}
	}
	return problems
}

// shapeProblems looks for volumes, secrets and files that do not exist.
func (s composeService) shapeProblems(file composeFile, used map[string]bool) []string {
	var problems []string
	for _, v := range s.Volumes {
		source, target, _ := strings.Cut(v, ":")
		if strings.HasPrefix(source, "./") {
			if _, err := os.Stat(deployRoot + source); err != nil || !strings.HasSuffix(target, ":ro") {
				problems = append(problems, fmt.Sprintf("volume %s: %v", v, err))
			}
			continue
		}
		if _, ok := file.Volumes[source]; !ok {
			problems = append(problems, "volume "+source+" is not defined")
		}
		used["volume "+source] = true
	}
	for _, name := range s.Secrets {
		if _, ok := file.Secrets[name]; !ok {
			problems = append(problems, "secret "+name+" is not defined")
		}
		used["secret "+name] = true
	}
	for name, value := range s.Environment {
		password := strings.HasSuffix(name, "PASSWORD")
		if address, err := url.Parse(value); err == nil && address.User != nil {
			_, password = address.User.Password()
		}
		if password {
			problems = append(problems, "environment "+name+": a password does not belong there")
		}
	}
	for _, p := range s.Ports {
		if !strings.HasPrefix(p, "127.0.0.1:") && portOf(p) != portOf(s.Environment["WAVEKEEPER_MEDIA_LISTEN"]) {
			problems = append(problems, "port "+p+": the console speaks http, others reach it through a proxy only")
		}
	}
	return problems
}

// orderProblems looks at what a service waits for and lives in.
func (s composeService) orderProblems(file composeFile) []string {
	var problems []string
	for name, on := range s.DependsOn {
		other, ok := file.Services[name]
		switch {
		case !ok:
			problems = append(problems, "depends on "+name+", which is not there")
		case on.Condition == "service_healthy" && len(other.Healthcheck.Test) == 0:
			problems = append(problems, name+" has no health check to wait for")
		case on.Condition == "service_completed_successfully" && other.Restart != "on-failure":
			problems = append(problems, name+" never completes")
		case !slices.Contains([]string{"service_healthy", "service_completed_successfully"}, on.Condition):
			problems = append(problems, "condition "+on.Condition)
		case len(other.Profiles) > 0 && !slices.Equal(other.Profiles, s.Profiles):
			problems = append(problems, "depends on "+name+", which only another profile starts")
		}
	}
	if s.NetworkMode != "" {
		host, ok := strings.CutPrefix(s.NetworkMode, "service:")
		if _, there := file.Services[host]; !ok || !there || len(s.Ports) > 0 {
			problems = append(problems, "network mode "+s.NetworkMode)
		}
		if _, waits := s.DependsOn[host]; !waits {
			problems = append(problems, "does not wait for "+host+", in whose network it lives")
		}
	}
	for _, raw := range []string{s.StopGracePeriod, s.Healthcheck.Interval, s.Healthcheck.Timeout, s.Healthcheck.StartPeriod} {
		if _, err := time.ParseDuration(raw); raw != "" && err != nil {
			problems = append(problems, err.Error())
		}
	}
	return problems
}

// ourProblems looks at a service of our image.
func (s composeService) ourProblems(t *testing.T, image *stage) []string {
	t.Helper()
	var problems []string
	for _, name := range []string{s.Build.Context, s.Build.Dockerfile} {
		if _, err := os.Stat(deployRoot + name); err != nil {
			problems = append(problems, err.Error())
		}
	}
	line := append(slices.Clone(s.Entrypoint), s.Command...)
	if len(s.Entrypoint) == 0 {
		line = append(slices.Clone(image.entrypoint), s.Command...)
	}
	problems = append(problems, s.programProblems(t, image, line)...)
	for _, name := range []string{"DATABASE_URL", "MIGRATE_DATABASE_URL"} {
		if value, ok := s.Environment[name]; ok {
			problems = append(problems, databaseProblems(name, value)...)
		}
	}
	for i, v := range s.Volumes {
		_, at, _ := strings.Cut(v, ":")
		if !strings.Contains(strings.Join(image.runs, "\n"), at) {
			problems = append(problems, fmt.Sprintf("volume %d: the image has no folder %s that belongs to its user", i, at))
		}
	}
	if !s.Healthcheck.Disable {
		problems = append(problems, s.healthProblems(t, image, s.Healthcheck.Test)...)
	}
	for _, p := range s.Ports {
		inside := portOf(p)
		if inside != portOf(s.Environment["WAVEKEEPER_LISTEN"]) && inside != portOf(s.Environment["WAVEKEEPER_MEDIA_LISTEN"]) {
			problems = append(problems, "port "+p+" leads to nothing: the console listens at "+s.Environment["WAVEKEEPER_LISTEN"])
		}
	}
	if slices.Contains(line, "serve") {
		problems = append(problems, s.mediaProblems()...)
		if grace, err := time.ParseDuration(s.StopGracePeriod); err != nil || grace <= stopWithin {
			problems = append(problems, fmt.Sprintf("it is killed after %q, a graceful stop may take %v", s.StopGracePeriod, stopWithin))
		}
	}
	return problems
}

// mediaProblems looks whether hosts reach the console's media, and whether the
// media outlive the container.
func (s composeService) mediaProblems() []string {
	var problems []string
	port := portOf(s.Environment["WAVEKEEPER_MEDIA_LISTEN"])
	if !slices.Contains(s.Ports, port+":"+port) {
		problems = append(problems, "hosts do not reach the media's port "+port)
	}
	if !slices.ContainsFunc(s.Volumes, func(v string) bool { return strings.HasSuffix(v, ":"+s.Environment["WAVEKEEPER_MEDIA_DIR"]) }) {
		problems = append(problems, "media lie in no volume")
	}
	return problems
}

// databaseProblems compares a database URL with the roles that roles.sql makes.
func databaseProblems(name, value string) []string {
	raw, err := os.ReadFile(composeRolesSQL)
	if err != nil {
		return []string{err.Error()}
	}
	made := regexp.MustCompile(`CREATE DATABASE (\w+) OWNER (\w+)`).FindStringSubmatch(string(raw))
	address, err := url.Parse(value)
	if err != nil || made == nil {
		return []string{fmt.Sprintf("%s: %v, roles.sql makes %v", name, err, made)}
	}
	role := address.User.Username()
	if address.Path != "/"+made[1] || address.Host != "postgres:5432" || !strings.Contains(string(raw), "CREATE ROLE "+role+" LOGIN") || (role == made[2]) != (name == "MIGRATE_DATABASE_URL") {
		return []string{fmt.Sprintf("%s=%s: roles.sql makes database %s of %s", name, value, made[1], made[2])}
	}
	return nil
}

// postgresProblems looks at the database's service. Names of its environment:
// the Postgres image's documentation.
func (s composeService) postgresProblems() []string {
	var problems []string
	if !pinned(s.Image) {
		problems = append(problems, "image "+s.Image+": no version")
	}
	for name, value := range s.Environment {
		if !slices.Contains([]string{"POSTGRES_PASSWORD_FILE", "POSTGRES_INITDB_ARGS"}, name) {
			problems = append(problems, "environment "+name)
		}
		if secret, ok := strings.CutPrefix(value, secretDir); ok && !slices.Contains(s.Secrets, secret) {
			problems = append(problems, "environment "+name+": the service has no secret "+secret)
		}
	}
	raw, err := os.ReadFile(composeRolesSQL)
	if err != nil {
		return append(problems, err.Error())
	}
	for _, name := range regexp.MustCompile(secretDir+`(\w+)`).FindAllStringSubmatch(string(raw), -1) {
		if !slices.Contains(s.Secrets, name[1]) {
			problems = append(problems, "roles.sql reads "+name[0]+", the service has no such secret")
		}
	}
	return problems
}

// TestCompose holds docker-compose.yml to the program: every variable, flag,
// command, port, path and file that it names is a real one, and a renamed one
// is noticed.
func TestCompose(t *testing.T) {
	t.Parallel()
	text := readText(t, composePath)
	for _, p := range composeProblems(t, text) {
		t.Error(p)
	}
	for _, change := range [][2]string{
		{"WAVEKEEPER_METRICS_LISTEN", "WAVEKEEPER_METRIC_LISTEN"},
		{"WAVEKEEPER_PUBLIC_URL:", "WAVEKEEPER_PUBLIC_ADDRESS:"},
		{"WAVEKEEPER_KEY_FILE", "WAVEKEEPER_KEYFILE"},
		{"MIGRATE_DATABASE_URL", "OWNER_DATABASE_URL"},
		{"[serve]", "[server]"},
		{"--runas-password-file=", "--runas-file="},
		{"--speed=200", "--speed=fast"},
		{"wavekeeper package set", "wavekeeper package sets"},
		{"--setup-sha256=", "--sha256="},
		{"--purpose=runas", "--purpose=setup"},
		{"wavekeeper, health", "wavekeeper, healthy"},
		{":9090/readyz", ":9091/readyz"},
		{"/readyz", "/ready"},
		{"127.0.0.1:8080:8080", "127.0.0.1:8080:80"},
		{"127.0.0.1:8080:8080", "8080:8080"},
		{"key:/var/lib/wavekeeper\n", "key:/var/lib/keys\n"},
		{"8082:8082", "8082:8083"},
		{"8082:8082", "127.0.0.1:8082:8082"},
		{"WAVEKEEPER_MEDIA_LISTEN", "WAVEKEEPER_MEDIA_ADDRESS"},
		{"WAVEKEEPER_MEDIA_URL:", "WAVEKEEPER_MEDIA_HOST:"},
		{"media:/var/lib/wavekeeper-media", "media:/var/lib/media"},
		{"  media: #", "  medium: #"},
		{"fleet-12.csv", "fleet-13.csv"},
		{"service:console", "service:web"},
		{"deploy/Dockerfile", "Dockerfile"},
		{"roles.sql:/", "role.sql:/"},
		{"passfile=/run/secrets/owner_pgpass", "passfile=/run/secrets/program_pgpass"},
		{"secrets: [program_pgpass]", "secrets: [pgpass]"},
		{"wavekeeper_owner@postgres", "owner@postgres"},
		{"wavekeeper@postgres", "wavekeeper:secret@postgres"},
		{"  fleet:\n\nsecrets", "\nsecrets"},
		{"healthcheck:", "health_check:"},
		{"postgres:17.6-bookworm", "postgres:latest"},
		{"service_completed_successfully", "service_started"},
		{"stop_grace_period: 1m", "stop_grace_period: 10s"},
	} {
		broken := strings.ReplaceAll(text, change[0], change[1])
		if broken == text || len(composeProblems(t, broken)) == 0 {
			t.Errorf("%q in place of %q is not noticed", change[1], change[0])
		}
	}
	for _, pkg := range []string{"sp1", "sp2", "sp3"} {
		if want := "--package=" + pkg + " --setup-sha256=" + twin.SetupSHA256(pkg, "en-US", "x64"); !strings.Contains(text, want) {
			t.Errorf("docker-compose.yml has no %s", want)
		}
	}
}

// TestComposeSecretsAreMade runs the script that makes them, twice: what is
// there stays, and git and the image know nothing of it.
func TestComposeSecretsAreMade(t *testing.T) {
	t.Parallel()
	file, err := readCompose(readText(t, composePath))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "secrets")
	content := map[string]string{}
	for range 2 {
		if out, err := exec.Command("/bin/sh", composeSecrets, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for name, secret := range file.Secrets {
			if filepath.Dir(secret.File) != "deploy/secrets" {
				t.Errorf("secret %s lies in %s", name, secret.File)
			}
			made := readText(t, filepath.Join(dir, filepath.Base(secret.File)))
			if before := content[name]; len(made) < 40 || before != "" && before != made {
				t.Errorf("secret %s: %d bytes, then changed", name, len(made))
			}
			content[name] = made
		}
	}
	made, err := os.ReadDir(dir)
	if err != nil || len(made) != len(file.Secrets) {
		t.Errorf("%v, %v: %d secrets are named", made, err, len(file.Secrets))
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if !strings.Contains(readText(t, deployRoot+".gitignore"), "/deploy/secrets/\n") || strings.Contains(readText(t, dockerignore), "!deploy\n") {
		t.Error("secrets get into git or into the image")
	}
}

// TestComposeEnvironmentServes starts what the console's service says, up to the
// point where it would open the database. Not parallel: it sets the environment.
func TestComposeEnvironmentServes(t *testing.T) {
	file, err := readCompose(readText(t, composePath))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range file.Services["console"].Environment {
		t.Setenv(name, value)
	}
	var root Root
	parser, err := kong.New(&root, kong.DefaultEnvars("WAVEKEEPER"), durations, kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"serve"}); err != nil {
		t.Fatal(err)
	}
	if proxies, err := root.Serve.check(slog.New(slog.DiscardHandler)); err != nil || len(proxies) != 0 {
		t.Errorf("proxies %v, %v", proxies, err)
	}
	if root.Serve.Listen != "0.0.0.0:8080" || root.Serve.address() != "http://localhost:8080" || root.Serve.insecure() {
		t.Errorf("listens at %s, says %s, insecure cookies %v", root.Serve.Listen, root.Serve.address(), root.Serve.insecure())
	}
}
