package deploy_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

type prometheusConfig struct {
	Global struct {
		ScrapeInterval     time.Duration `yaml:"scrape_interval"`
		EvaluationInterval time.Duration `yaml:"evaluation_interval"`
	} `yaml:"global"`
	RuleFiles     []string `yaml:"rule_files"`
	ScrapeConfigs []struct {
		JobName       string `yaml:"job_name"`
		StaticConfigs []struct {
			Targets []string `yaml:"targets"`
		} `yaml:"static_configs"`
	} `yaml:"scrape_configs"`
}

type alertFile struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         time.Duration     `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

func TestPrometheusScrapesSeamline(t *testing.T) {
	t.Parallel()
	config := decodeStrict[prometheusConfig](t, "prometheus/prometheus.yml")[0]
	for _, name := range config.RuleFiles {
		checkExists(t, "rule_files", filepath.Join("prometheus", name))
	}
	if config.Global.ScrapeInterval <= 0 || config.Global.EvaluationInterval < config.Global.ScrapeInterval {
		t.Errorf("intervals are %+v", config.Global)
	}
	compose := decodeStrict[composeFile](t, "compose/compose.yaml")[0]
	for _, job := range config.ScrapeConfigs {
		for _, static := range job.StaticConfigs {
			for _, target := range static.Targets {
				host, _, _ := strings.Cut(target, ":")
				if _, ok := compose.Services[host]; !ok || job.JobName == "" {
					t.Errorf("job %q reads %s, which is no service", job.JobName, target)
				}
			}
		}
	}
	if len(config.ScrapeConfigs) != 1 || config.ScrapeConfigs[0].JobName != "seamline" {
		t.Errorf("jobs are %+v; the alerts name job seamline", config.ScrapeConfigs)
	}
}

func TestAlertsNameMetricsThatExist(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, group := range decodeStrict[alertFile](t, "prometheus/alerts.yaml")[0].Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || seen[rule.Alert] {
				t.Errorf("alert %q has no name of its own", rule.Alert)
			}
			seen[rule.Alert] = true
			checkExpression(t, rule.Alert, rule.Expr)
			switch rule.Labels["severity"] {
			case "critical", "warning", "info":
			default:
				t.Errorf("%s: severity %q", rule.Alert, rule.Labels["severity"])
			}
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s: annotations %v", rule.Alert, rule.Annotations)
			}
		}
	}
	if len(seen) == 0 {
		t.Error("there are no alerts")
	}
}

var isRate = regexp.MustCompile(`(?:rate|increase|deriv)\(`)

// checkExpression looks for unknown metrics, unbalanced brackets and counters without a rate.
func checkExpression(t *testing.T, where, expr string) {
	t.Helper()
	if strings.TrimSpace(expr) == "" || !balanced(expr) {
		t.Errorf("%s: expression %q is empty or not balanced", where, expr)
	}
	checkMetrics(t, where, expr)
	counters := strings.Count(expr, "_total") + strings.Count(expr, "_bucket")
	if rates := len(isRate.FindAllString(expr, -1)); counters > rates {
		t.Errorf("%s: %d counters and %d rates in %q", where, counters, rates, expr)
	}
}

func balanced(expr string) bool {
	var open []rune
	pairs := map[rune]rune{')': '(', ']': '[', '}': '{'}
	isText := false
	for _, r := range expr {
		if r == '"' {
			isText = !isText
		}
		if isText {
			continue
		}
		switch r {
		case '(', '[', '{':
			open = append(open, r)
		case ')', ']', '}':
			if len(open) == 0 || open[len(open)-1] != pairs[r] {
				return false
			}
			open = open[:len(open)-1]
		}
	}
	return len(open) == 0 && !isText
}

func TestBalancedTellsGoodFromBad(t *testing.T) {
	t.Parallel()
	f := func(expr string, want bool) {
		t.Helper()
		if got := balanced(expr); got != want {
			t.Errorf("%s: %t", expr, got)
		}
	}
	f(`sum by (a) (rate(b{c="d)"}[5m]))`, true)
	f(`sum(rate(b[5m])`, false)
	f(`sum(rate(b[5m)])`, false)
	f(`b{c="d}`, false)
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type dashboard struct {
	UID        string  `json:"uid"`
	Title      string  `json:"title"`
	Panels     []panel `json:"panels"`
	Templating struct {
		List []struct {
			Name       string     `json:"name"`
			Datasource datasource `json:"datasource"`
			Definition string     `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
}

type panel struct {
	ID          int        `json:"id"`
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Datasource  datasource `json:"datasource"`
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct {
		RefID      string     `json:"refId"`
		Datasource datasource `json:"datasource"`
		Expr       string     `json:"expr"`
	} `json:"targets"`
}

type provisionedSources struct {
	APIVersion  int `yaml:"apiVersion"`
	Datasources []struct {
		Name      string         `yaml:"name"`
		UID       string         `yaml:"uid"`
		Type      string         `yaml:"type"`
		Access    string         `yaml:"access"`
		URL       string         `yaml:"url"`
		IsDefault bool           `yaml:"isDefault"`
		Editable  bool           `yaml:"editable"`
		JSONData  map[string]any `yaml:"jsonData"`
	} `yaml:"datasources"`
}

type provisionedDashboards struct {
	APIVersion int `yaml:"apiVersion"`
	Providers  []struct {
		Name            string            `yaml:"name"`
		Type            string            `yaml:"type"`
		DisableDeletion bool              `yaml:"disableDeletion"`
		AllowUIUpdates  bool              `yaml:"allowUiUpdates"`
		Options         map[string]string `yaml:"options"`
	} `yaml:"providers"`
}

func TestTheDashboardShowsMetricsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("grafana/dashboards/seamline.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&d); err != nil {
		t.Fatal(err)
	}
	source := decodeStrict[provisionedSources](t, "grafana/provisioning/datasources/prometheus.yaml")[0].Datasources[0]
	want := datasource{Type: source.Type, UID: source.UID}
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q is not one of its own", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies over %q or beyond the edge", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Datasource != want || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %q: source %+v, description %q, %d targets", p.Title, p.Datasource, p.Description, len(p.Targets))
		}
		refs := map[string]bool{}
		for _, target := range p.Targets {
			if target.Datasource != want || refs[target.RefID] {
				t.Errorf("panel %q: target %+v", p.Title, target)
			}
			refs[target.RefID] = true
			checkExpression(t, p.Title, target.Expr)
		}
	}
	for _, variable := range d.Templating.List {
		checkMetrics(t, "variable "+variable.Name, variable.Definition)
		if !bytes.Contains(text, []byte("$"+variable.Name)) {
			t.Errorf("variable %s is not used", variable.Name)
		}
	}
}

func TestGrafanaFindsItsFiles(t *testing.T) {
	t.Parallel()
	compose := decodeStrict[composeFile](t, "compose/compose.yaml")[0]
	mounts := strings.Join(compose.Services["grafana"].Volumes, "\n")
	for _, provider := range decodeStrict[provisionedDashboards](t, "grafana/provisioning/dashboards/seamline.yaml")[0].Providers {
		if !strings.Contains(mounts, "../grafana/dashboards:"+provider.Options["path"]+":") {
			t.Errorf("provider %s reads %s, which is not mounted", provider.Name, provider.Options["path"])
		}
	}
	if home := compose.Services["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]; filepath.Base(home) != "seamline.json" {
		t.Errorf("home is %s", home)
	}
	source := decodeStrict[provisionedSources](t, "grafana/provisioning/datasources/prometheus.yaml")[0].Datasources[0]
	if host, _, _ := strings.Cut(strings.TrimPrefix(source.URL, "http://"), ":"); compose.Services[host].Image == "" {
		t.Errorf("the datasource is at %s, which is no service", source.URL)
	}
}
