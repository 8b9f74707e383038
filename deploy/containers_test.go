package deploy_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type composeFile struct {
	Name     string             `yaml:"name"`
	Services map[string]service `yaml:"services"`
	Volumes  map[string]*struct {
		External bool `yaml:"external"`
	} `yaml:"volumes"`
}

type service struct {
	Image string `yaml:"image"`
	Build *struct {
		Context    string `yaml:"context"`
		Dockerfile string `yaml:"dockerfile"`
	} `yaml:"build"`
	Command         []string          `yaml:"command"`
	Environment     map[string]string `yaml:"environment"`
	Ports           []string          `yaml:"ports"`
	Volumes         []string          `yaml:"volumes"`
	Tmpfs           []string          `yaml:"tmpfs"`
	ReadOnly        bool              `yaml:"read_only"`
	CapDrop         []string          `yaml:"cap_drop"`
	SecurityOpt     []string          `yaml:"security_opt"`
	StopGracePeriod string            `yaml:"stop_grace_period"`
	Restart         string            `yaml:"restart"`
	Ulimits         map[string]struct {
		Soft int `yaml:"soft"`
		Hard int `yaml:"hard"`
	} `yaml:"ulimits"`
	Healthcheck *struct {
		Test     []string `yaml:"test"`
		Interval string   `yaml:"interval"`
		Timeout  string   `yaml:"timeout"`
		Retries  int      `yaml:"retries"`
	} `yaml:"healthcheck"`
	DependsOn dependencies `yaml:"depends_on"`
}

// dependencies are a list of services, or an object with conditions.
type dependencies map[string]string

// UnmarshalYAML reads both forms.
func (d *dependencies) UnmarshalYAML(unmarshal func(any) error) error {
	*d = dependencies{}
	var list []string
	if unmarshal(&list) == nil {
		for _, name := range list {
			(*d)[name] = "service_started"
		}
		return nil
	}
	var conditions map[string]struct {
		Condition string `yaml:"condition"`
	}
	if err := unmarshal(&conditions); err != nil {
		return err
	}
	for name, c := range conditions {
		(*d)[name] = c.Condition
	}
	return nil
}

var imageName = regexp.MustCompile(`^[a-z0-9]+(?:[./-][a-z0-9-]+)*:[A-Za-z0-9._-]+$`)

func TestComposeServicesAreComplete(t *testing.T) {
	t.Parallel()
	compose := decodeStrict[composeFile](t, "compose/compose.yaml")[0]
	for _, name := range []string{"kafka", "clickhouse", "seamline", "prometheus", "grafana"} {
		if _, ok := compose.Services[name]; !ok {
			t.Errorf("there is no service %s", name)
		}
	}
	used := map[string]bool{}
	for name, s := range compose.Services {
		if !imageName.MatchString(s.Image) || strings.HasSuffix(s.Image, ":latest") {
			t.Errorf("%s: image %q has no fixed version", name, s.Image)
		}
		if s.Build != nil {
			for _, path := range []string{s.Build.Context, filepath.Join(s.Build.Context, s.Build.Dockerfile)} {
				checkExists(t, name, filepath.Join("compose", path))
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: port %s is open beyond this machine", name, port)
			}
		}
		for _, volume := range s.Volumes {
			source := checkVolume(t, name, volume, compose)
			used[source] = true
		}
		for other, condition := range s.DependsOn {
			healthy := compose.Services[other].Healthcheck != nil
			if compose.Services[other].Image == "" || (condition == "service_healthy") != healthy {
				t.Errorf("%s depends on %s, %s, which has a health check: %t", name, other, condition, healthy)
			}
		}
		for variable := range s.Environment {
			checkVariable(t, "compose.yaml", variable)
		}
	}
	for volume := range compose.Volumes {
		if !used[volume] {
			t.Errorf("volume %s is used by nobody", volume)
		}
	}
}

func checkVolume(t *testing.T, service, volume string, compose composeFile) string {
	t.Helper()
	source, target, _ := strings.Cut(volume, ":")
	target, _, _ = strings.Cut(target, ":")
	if !strings.HasPrefix(target, "/") {
		t.Errorf("%s: volume %s has no absolute target", service, volume)
	}
	if strings.HasPrefix(source, ".") {
		checkExists(t, service, filepath.Join("compose", source))
		return source
	}
	if _, ok := compose.Volumes[source]; !ok {
		t.Errorf("%s: volume %s is not declared", service, source)
	}
	return source
}

func checkExists(t *testing.T, who, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("%s: %v", who, err)
	}
}

func TestComposeSettingsExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("compose/seamline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	checkSettingsText(t, "compose/seamline.yaml", text)
	file, err := os.Open("compose/clickhouse.xml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := xml.NewDecoder(file)
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// instruction is one line of a Dockerfile, with its continuations.
type instruction struct{ word, rest string }

func dockerfile(t *testing.T, path string) []instruction {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var found []instruction
	for line := range strings.SplitSeq(strings.ReplaceAll(string(text), "\\\n", " "), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		found = append(found, instruction{word: word, rest: strings.TrimSpace(rest)})
	}
	return found
}

var instructions = []string{"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}

func TestTheDockerfileIsSane(t *testing.T) {
	t.Parallel()
	lines := dockerfile(t, "docker/Dockerfile")
	if lines[0].word != "FROM" {
		t.Errorf("it begins with %s", lines[0].word)
	}
	stages, final := []string{}, map[string]string{}
	for _, line := range lines {
		if !slices.Contains(instructions, line.word) {
			t.Errorf("unknown instruction %s", line.word)
		}
		switch line.word {
		case "FROM":
			final = map[string]string{"FROM": line.rest}
			if _, stage, ok := strings.Cut(line.rest, " AS "); ok {
				stages = append(stages, stage)
			}
		case "COPY":
			checkCopy(t, line.rest, stages)
		case "RUN":
			checkBuilds(t, line.rest)
		case "ENV":
			for pair := range strings.FieldsSeq(line.rest) {
				name, _, _ := strings.Cut(pair, "=")
				checkVariable(t, "Dockerfile", name)
			}
		}
		final[line.word] = line.rest
	}
	if user, _, _ := strings.Cut(final["USER"], ":"); user == "" || user == "0" || user == "root" {
		t.Errorf("it runs as %q", final["USER"])
	} else if _, err := strconv.Atoi(user); err != nil {
		t.Errorf("user %q is not a number, which runAsNonRoot needs", user)
	}
	_, check, _ := strings.Cut(final["HEALTHCHECK"], "CMD ")
	for word, list := range map[string]string{"ENTRYPOINT": final["ENTRYPOINT"], "CMD": final["CMD"], "HEALTHCHECK": check} {
		var args []string
		if err := json.Unmarshal([]byte(list), &args); err != nil || len(args) == 0 {
			t.Errorf("%s is %q, and there is no shell in the image", word, list)
		}
	}
}

// checkCopy looks for what is copied: in an earlier stage, or in the repository.
func checkCopy(t *testing.T, rest string, stages []string) {
	t.Helper()
	words := strings.Fields(rest)
	from := ""
	for len(words) > 0 && strings.HasPrefix(words[0], "--") {
		if stage, ok := strings.CutPrefix(words[0], "--from="); ok {
			from = stage
		}
		words = words[1:]
	}
	if len(words) < 2 {
		t.Errorf("COPY %s has no source and target", rest)
		return
	}
	if from != "" {
		if !slices.Contains(stages, from) {
			t.Errorf("COPY %s: there is no stage %s before", rest, from)
		}
		return
	}
	for _, source := range words[:len(words)-1] {
		checkExists(t, "COPY", filepath.Join("..", source))
	}
}

var goBuild = regexp.MustCompile(`go build [^&]*?(\./\S+)`)

// checkBuilds looks for the packages that are built, and that nothing links to the C library.
func checkBuilds(t *testing.T, command string) {
	t.Helper()
	for _, match := range goBuild.FindAllStringSubmatch(command, -1) {
		checkExists(t, "go build", filepath.Join("..", match[1]))
	}
	if strings.Count(command, "go build") != strings.Count(command, "CGO_ENABLED=0 go build") {
		t.Errorf("a build with cgo: %s", command)
	}
}
