package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// containerFile is what this test reads of a Dockerfile: its stages, the last of
// which is the image.
type containerFile struct{ stages []*stage }

type stage struct {
	from, name  string
	copies      []copied
	env         map[string]string
	user        string
	expose      []string
	entrypoint  []string
	command     []string
	healthcheck []string
	runs        []string
	workdir     string
}

// copied is one COPY: from another stage ("" = the build context).
type copied struct {
	from    string
	sources []string
	target  string
}

// readDockerfile reads the instructions that this repository uses and refuses
// others: a new one is a new thing to check.
func readDockerfile(text string) (containerFile, error) {
	var file containerFile
	text = regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		keyword, rest := words[0], strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), words[0]))
		if keyword == "FROM" {
			s := &stage{from: words[1], env: map[string]string{}}
			if len(words) == 4 && words[2] == "AS" {
				s.name = words[3]
			}
			file.stages = append(file.stages, s)
			continue
		}
		if len(file.stages) == 0 {
			return file, fmt.Errorf("%s before FROM", keyword)
		}
		if err := file.stages[len(file.stages)-1].take(keyword, rest, words[1:]); err != nil {
			return file, fmt.Errorf("%s: %w", keyword, err)
		}
	}
	return file, nil
}

func (s *stage) take(keyword, rest string, words []string) error {
	switch keyword {
	case "ENV":
		for _, w := range words {
			name, value, ok := strings.Cut(w, "=")
			if !ok {
				return fmt.Errorf("%q is no NAME=VALUE", w)
			}
			s.env[name] = value
		}
	case "COPY":
		c := copied{}
		if from, ok := strings.CutPrefix(words[0], "--from="); ok {
			c.from, words = from, words[1:]
		}
		c.sources, c.target = words[:len(words)-1], words[len(words)-1]
		s.copies = append(s.copies, c)
	case "USER":
		s.user = rest
	case "WORKDIR":
		s.workdir = rest
	case "EXPOSE":
		s.expose = append(s.expose, words...)
	case "RUN":
		s.runs = append(s.runs, rest)
	case "ENTRYPOINT":
		return json.Unmarshal([]byte(rest), &s.entrypoint)
	case "CMD":
		return json.Unmarshal([]byte(rest), &s.command)
	case "HEALTHCHECK":
		_, check, ok := strings.Cut(rest, " CMD ")
		if !ok {
			return fmt.Errorf("%q has no CMD", rest)
		}
		return json.Unmarshal([]byte(check), &s.healthcheck)
	default:
		return fmt.Errorf("not known to this test")
	}
	return nil
}

// image is the last stage.
func (f containerFile) image() *stage { return f.stages[len(f.stages)-1] }

// holds finds the file of the repository that lies at path in the image; ok says
// that the path is a copied file at all.
func (s *stage) holds(name string) (source string, ok bool) {
	for _, c := range s.copies {
		if c.target == name {
			return c.sources[0], true
		}
	}
	return "", false
}

const (
	deployRoot      = "../../"
	dockerfilePath  = "../../deploy/Dockerfile"
	dockerignore    = "../../deploy/Dockerfile.dockerignore"
	composePath     = "../../docker-compose.yml"
	composeSecrets  = "../../deploy/secrets.sh"
	composeRolesSQL = "../../deploy/postgres/roles.sql"
)

func readText(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// pinned says that an image's tag names a version.
func pinned(image string) bool {
	_, tag, ok := strings.Cut(image, ":")
	return ok && regexp.MustCompile(`^\d+\.\d+`).MatchString(tag)
}

// imageProblems compares the Dockerfile with the repository and the program.
func imageProblems(t *testing.T, text string) []string {
	t.Helper()
	file, err := readDockerfile(text)
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	kept := strings.Split(readText(t, dockerignore), "\n")
	var before []string
	for _, s := range file.stages {
		if !pinned(s.from) {
			say("FROM %s: no version", s.from)
		}
		for _, c := range s.copies {
			if c.from != "" {
				if !slices.Contains(before, c.from) {
					say("COPY --from=%s: no such stage before", c.from)
				}
				continue
			}
			for _, source := range c.sources {
				if _, err := os.Stat(deployRoot + source); err != nil {
					say("COPY %s: %v", source, err)
				}
				if !slices.ContainsFunc(kept, func(k string) bool {
					k, in := strings.CutPrefix(k, "!")
					return in && (source == k || strings.HasPrefix(source, k+"/"))
				}) {
					say("COPY %s: Dockerfile.dockerignore keeps it out", source)
				}
			}
		}
		before = append(before, s.name)
	}
	image := file.image()
	if !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(image.user) {
		say("USER %q: a number that is not root's is wanted", image.user)
	}
	program := "/usr/local/bin/wavekeeper"
	if binary, ok := image.holds(program); !ok || !slices.ContainsFunc(file.stages, func(s *stage) bool {
		return slices.ContainsFunc(s.runs, func(r string) bool {
			return strings.HasPrefix(r, "go build ") && strings.HasSuffix(r, "-o "+binary+" ./server")
		})
	}) {
		say("nothing builds %s", program)
	}
	if len(image.entrypoint) != 1 || image.entrypoint[0] != path.Base(program) {
		say("ENTRYPOINT %v", image.entrypoint)
	}
	service := composeService{Environment: image.env, Volumes: []string{"key:/var/lib/wavekeeper", "media:/var/lib/wavekeeper-media"}}
	for _, p := range service.programProblems(t, image, append(slices.Clone(image.entrypoint), image.command...)) {
		say("CMD: %s", p)
	}
	for _, p := range service.healthProblems(t, image, image.healthcheck) {
		say("HEALTHCHECK: %s", p)
	}
	if listen := []string{portOf(image.env["WAVEKEEPER_LISTEN"]), portOf(image.env["WAVEKEEPER_MEDIA_LISTEN"])}; !slices.Equal(image.expose, listen) {
		say("EXPOSE %v, console and media listen at ports %v", image.expose, listen)
	}
	if at := image.env["WAVEKEEPER_MEDIA_DIR"]; !slices.ContainsFunc(image.runs, func(r string) bool {
		return strings.Contains(r, "install -d -o "+strings.Replace(image.user, ":", " -g ", 1)) && slices.Contains(strings.Fields(r), at)
	}) {
		say("its user has no folder %q for media", at)
	}
	if !slices.ContainsFunc(image.runs, func(r string) bool { return slices.Contains(strings.Fields(r), "cabextract") }) {
		say("media add has no cabextract")
	}
	return problems
}

// TestDockerfile holds the image to the repository and the program's settings.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text := readText(t, dockerfilePath)
	for _, p := range imageProblems(t, text) {
		t.Error(p)
	}
	golang := regexp.MustCompile(`FROM golang:(\d+\.\d+)`).FindStringSubmatch(text)
	wanted := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(readText(t, deployRoot+"go.mod"))
	if golang == nil || wanted == nil || golang[1] != wanted[1] {
		t.Errorf("built with %v, go.mod wants %v", golang, wanted)
	}
	for _, change := range [][2]string{
		{"WAVEKEEPER_LISTEN", "WAVEKEEPER_LISTENS"},
		{`CMD ["serve"]`, `CMD ["server"]`},
		{`"--url"`, `"--uri"`},
		{"EXPOSE 8080", "EXPOSE 8081"},
		{"8080 8082", "8080 8083"},
		{"WAVEKEEPER_MEDIA_LISTEN", "WAVEKEEPER_MEDIA"},
		{"WAVEKEEPER_MEDIA_DIR=/var/lib/wavekeeper-media", "WAVEKEEPER_MEDIA_DIR=/srv/media"},
		{" cabextract ", " "},
		{"deploy/demo/fleet-12.csv", "deploy/demo/fleet-13.csv"},
		{"USER 65532:65532", "USER root"},
		{"debian:12.12-slim", "debian:latest"},
		{"COPY server server", "COPY tools tools"},
		{"--from=assets", "--from=web"},
		{"/out/wavekeeper ./server", "/out/wavekeeper ./server/cli"},
	} {
		broken := strings.ReplaceAll(text, change[0], change[1])
		if broken == text || len(imageProblems(t, broken)) == 0 {
			t.Errorf("%q in place of %q is not noticed", change[1], change[0])
		}
	}
}
