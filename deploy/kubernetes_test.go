package deploy_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// object has the fields of all the kinds that we use; spec is read again by kind.
type object struct {
	APIVersion string            `yaml:"apiVersion"`
	Kind       string            `yaml:"kind"`
	Metadata   metadata          `yaml:"metadata"`
	Type       string            `yaml:"type"`       // of a Secret
	Data       map[string]string `yaml:"data"`       // of a ConfigMap
	StringData map[string]string `yaml:"stringData"` // of a Secret
	Spec       yaml.Node         `yaml:"spec"`
	Namespace  string            `yaml:"namespace"` // of a Kustomization
	Resources  []string          `yaml:"resources"` // of a Kustomization
}

type metadata struct {
	Name        string            `yaml:"name"`
	Namespace   string            `yaml:"namespace"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

type selector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type serviceSpec struct {
	ClusterIP                string            `yaml:"clusterIP"`
	PublishNotReadyAddresses bool              `yaml:"publishNotReadyAddresses"`
	Selector                 map[string]string `yaml:"selector"`
	Ports                    []struct {
		Name       string `yaml:"name"`
		Port       int    `yaml:"port"`
		TargetPort string `yaml:"targetPort"`
	} `yaml:"ports"`
}

type budgetSpec struct {
	MaxUnavailable int      `yaml:"maxUnavailable"`
	Selector       selector `yaml:"selector"`
}

type monitorSpec struct {
	Selector  selector `yaml:"selector"`
	Endpoints []struct {
		Port     string `yaml:"port"`
		Path     string `yaml:"path"`
		Interval string `yaml:"interval"`
	} `yaml:"endpoints"`
}

type statefulSpec struct {
	ServiceName         string   `yaml:"serviceName"`
	Replicas            int      `yaml:"replicas"`
	PodManagementPolicy string   `yaml:"podManagementPolicy"`
	UpdateStrategy      typed    `yaml:"updateStrategy"`
	Selector            selector `yaml:"selector"`
	Template            struct {
		Metadata metadata `yaml:"metadata"`
		Spec     podSpec  `yaml:"spec"`
	} `yaml:"template"`
	VolumeClaimTemplates []struct {
		Metadata metadata `yaml:"metadata"`
		Spec     struct {
			AccessModes []string  `yaml:"accessModes"`
			Resources   resources `yaml:"resources"`
		} `yaml:"spec"`
	} `yaml:"volumeClaimTemplates"`
}

type typed struct {
	Type string `yaml:"type"`
}

type resources struct {
	Requests map[string]string `yaml:"requests"`
	Limits   map[string]string `yaml:"limits"`
}

type podSpec struct {
	AutomountServiceAccountToken  bool `yaml:"automountServiceAccountToken"`
	TerminationGracePeriodSeconds int  `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               struct {
		RunAsNonRoot        bool   `yaml:"runAsNonRoot"`
		RunAsUser           int    `yaml:"runAsUser"`
		RunAsGroup          int    `yaml:"runAsGroup"`
		FSGroup             int    `yaml:"fsGroup"`
		FSGroupChangePolicy string `yaml:"fsGroupChangePolicy"`
		SeccompProfile      typed  `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	Containers []container `yaml:"containers"`
	Volumes    []struct {
		Name      string `yaml:"name"`
		ConfigMap *struct {
			Name string `yaml:"name"`
		} `yaml:"configMap"`
		Secret *struct {
			SecretName  string `yaml:"secretName"`
			DefaultMode int    `yaml:"defaultMode"`
			Items       []struct {
				Key  string `yaml:"key"`
				Path string `yaml:"path"`
			} `yaml:"items"`
		} `yaml:"secret"`
		EmptyDir *struct{} `yaml:"emptyDir"`
	} `yaml:"volumes"`
}

type container struct {
	Name            string   `yaml:"name"`
	Image           string   `yaml:"image"`
	ImagePullPolicy string   `yaml:"imagePullPolicy"`
	Args            []string `yaml:"args"`
	Env             []struct {
		Name      string `yaml:"name"`
		Value     string `yaml:"value"`
		ValueFrom struct {
			SecretKeyRef *struct {
				Name string `yaml:"name"`
				Key  string `yaml:"key"`
			} `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	} `yaml:"env"`
	Ports []struct {
		Name          string `yaml:"name"`
		ContainerPort int    `yaml:"containerPort"`
	} `yaml:"ports"`
	StartupProbe    *probe    `yaml:"startupProbe"`
	LivenessProbe   *probe    `yaml:"livenessProbe"`
	ReadinessProbe  *probe    `yaml:"readinessProbe"`
	Resources       resources `yaml:"resources"`
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct {
			Drop []string `yaml:"drop"`
		} `yaml:"capabilities"`
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string `yaml:"name"`
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet struct {
		Path string `yaml:"path"`
		Port string `yaml:"port"`
	} `yaml:"httpGet"`
	PeriodSeconds    int `yaml:"periodSeconds"`
	TimeoutSeconds   int `yaml:"timeoutSeconds"`
	FailureThreshold int `yaml:"failureThreshold"`
}

var apiVersions = map[string]string{
	"Namespace": "v1", "ConfigMap": "v1", "Secret": "v1", "Service": "v1", "StatefulSet": "apps/v1",
	"PodDisruptionBudget": "policy/v1", "ServiceMonitor": "monitoring.coreos.com/v1",
	"Kustomization": "kustomize.config.k8s.io/v1beta1",
}

func kubernetesObjects(t *testing.T) map[string]object {
	t.Helper()
	objects := map[string]object{}
	for _, path := range files(t, "kubernetes", ".yaml") {
		for _, o := range decodeStrict[object](t, path) {
			if apiVersions[o.Kind] == "" || apiVersions[o.Kind] != o.APIVersion {
				t.Errorf("%s: %s of %q is unknown", path, o.Kind, o.APIVersion)
			}
			if o.Metadata.Name == "" && o.Kind != "Kustomization" {
				t.Errorf("%s: a %s has no name", path, o.Kind)
			}
			if o.Kind != "Kustomization" && o.Kind != "Namespace" && o.Metadata.Namespace != "seamline" {
				t.Errorf("%s: %s %s is in namespace %q", path, o.Kind, o.Metadata.Name, o.Metadata.Namespace)
			}
			key := o.Kind + "/" + o.Metadata.Name
			if _, ok := objects[key]; ok {
				t.Errorf("%s: a second %s", path, key)
			}
			objects[key] = o
		}
	}
	return objects
}

func specOf[T any](t *testing.T, objects map[string]object, key string) T {
	t.Helper()
	o, ok := objects[key]
	if !ok {
		t.Fatalf("there is no %s", key)
	}
	text, err := yaml.Marshal(&o.Spec)
	if err != nil {
		t.Fatal(err)
	}
	return decodeStrictText[T](t, key, text)[0]
}

func selects(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return len(wanted) > 0
}

func TestKubernetesObjectsFitTogether(t *testing.T) {
	t.Parallel()
	objects := kubernetesObjects(t)
	set := specOf[statefulSpec](t, objects, "StatefulSet/seamline")
	pod := set.Template.Metadata.Labels
	if !selects(pod, set.Selector.MatchLabels) {
		t.Errorf("the set selects %v, its pods have %v", set.Selector.MatchLabels, pod)
	}
	budget := specOf[budgetSpec](t, objects, "PodDisruptionBudget/seamline")
	if !selects(pod, budget.Selector.MatchLabels) || budget.MaxUnavailable < 1 {
		t.Errorf("the budget %+v does not fit pods %v", budget, pod)
	}
	main := set.Template.Spec.Containers[0]
	for _, name := range []string{"Service/seamline", "Service/seamline-api"} {
		service := specOf[serviceSpec](t, objects, name)
		if !selects(pod, service.Selector) {
			t.Errorf("%s selects %v, the pods have %v", name, service.Selector, pod)
		}
		for _, port := range service.Ports {
			if port.TargetPort != main.Ports[0].Name {
				t.Errorf("%s goes to port %s", name, port.TargetPort)
			}
		}
	}
	if governing, ok := objects["Service/"+set.ServiceName]; !ok || specOf[serviceSpec](t, objects, "Service/"+set.ServiceName).ClusterIP != "None" {
		t.Errorf("the set's service %s is not headless: %+v", set.ServiceName, governing.Metadata)
	}
	monitor := specOf[monitorSpec](t, objects, "ServiceMonitor/seamline")
	var monitored []string
	for key, o := range objects {
		if o.Kind == "Service" && selects(o.Metadata.Labels, monitor.Selector.MatchLabels) {
			monitored = append(monitored, key)
		}
	}
	if len(monitored) != 1 || monitor.Endpoints[0].Port != "http" || monitor.Endpoints[0].Path != "/metrics" {
		t.Errorf("the monitor reads %v, want one service; endpoints %+v", monitored, monitor.Endpoints)
	}
}

func TestThePodIsConfinedAndProbed(t *testing.T) {
	t.Parallel()
	pod := specOf[statefulSpec](t, kubernetesObjects(t), "StatefulSet/seamline").Template.Spec
	c := pod.Containers[0]
	if !pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.RunAsUser == 0 || pod.SecurityContext.SeccompProfile.Type != "RuntimeDefault" {
		t.Errorf("pod: %+v", pod.SecurityContext)
	}
	escalates := c.SecurityContext.AllowPrivilegeEscalation == nil || *c.SecurityContext.AllowPrivilegeEscalation
	if escalates || !c.SecurityContext.ReadOnlyRootFilesystem || !slices.Equal(c.SecurityContext.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("container: %+v", c.SecurityContext)
	}
	f := func(name string, p *probe, path string) {
		t.Helper()
		if p == nil || p.HTTPGet.Path != path || p.HTTPGet.Port != c.Ports[0].Name {
			t.Errorf("%s probe: %+v", name, p)
		}
	}
	f("startup", c.StartupProbe, "/healthz")
	f("liveness", c.LivenessProbe, "/healthz")
	f("readiness", c.ReadinessProbe, "/readyz")
	if c.Ports[0].ContainerPort != 8080 {
		t.Errorf("port %d", c.Ports[0].ContainerPort)
	}
}

func TestThePodFindsItsVolumesAndSecrets(t *testing.T) {
	t.Parallel()
	objects := kubernetesObjects(t)
	set := specOf[statefulSpec](t, objects, "StatefulSet/seamline")
	pod, secret := set.Template.Spec, objects["Secret/seamline"].StringData
	volumes := map[string]bool{}
	for _, claim := range set.VolumeClaimTemplates {
		volumes[claim.Metadata.Name] = true
	}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
		if v.ConfigMap != nil && objects["ConfigMap/"+v.ConfigMap.Name].Kind == "" {
			t.Errorf("volume %s wants ConfigMap %s", v.Name, v.ConfigMap.Name)
		}
		if v.Secret == nil {
			continue
		}
		for _, item := range v.Secret.Items {
			if secret[item.Key] == "" || v.Secret.SecretName != "seamline" {
				t.Errorf("volume %s wants key %s of %s", v.Name, item.Key, v.Secret.SecretName)
			}
		}
	}
	var paths []string
	for _, mount := range pod.Containers[0].VolumeMounts {
		if !volumes[mount.Name] {
			t.Errorf("mount of %s, which is no volume", mount.Name)
		}
		delete(volumes, mount.Name)
		for _, other := range paths {
			if strings.HasPrefix(mount.MountPath+"/", other+"/") || strings.HasPrefix(other+"/", mount.MountPath+"/") {
				t.Errorf("%s and %s are mounted into each other", mount.MountPath, other)
			}
		}
		paths = append(paths, mount.MountPath)
	}
	if len(volumes) > 0 {
		t.Errorf("volumes %v are not mounted", slices.Sorted(maps.Keys(volumes)))
	}
	for _, env := range pod.Containers[0].Env {
		checkVariable(t, "statefulset.yaml", env.Name)
		if ref := env.ValueFrom.SecretKeyRef; ref != nil && (secret[ref.Key] == "" || ref.Name != "seamline") {
			t.Errorf("%s wants key %s of %s", env.Name, ref.Key, ref.Name)
		}
	}
	checkSettingsText(t, "configmap.yaml", []byte(objects["ConfigMap/seamline"].Data["seamline.yaml"]))
	wanted := []string{"run", "--config", filepath.Join("/etc/seamline", "seamline.yaml")}
	if !slices.Equal(pod.Containers[0].Args, wanted) {
		t.Errorf("arguments are %q, want %q", pod.Containers[0].Args, wanted)
	}
}

func TestKustomizationListsItsFiles(t *testing.T) {
	t.Parallel()
	listed := decodeStrict[object](t, "kubernetes/kustomization.yaml")[0].Resources
	left := []string{"kustomization.yaml", "secret.example.yaml", "servicemonitor.yaml"}
	for _, path := range files(t, "kubernetes", ".yaml") {
		name := filepath.Base(path)
		if slices.Contains(listed, name) == slices.Contains(left, name) {
			t.Errorf("%s is not listed exactly once, either to apply or to leave", name)
		}
	}
	for _, name := range listed {
		decodeStrict[object](t, filepath.Join("kubernetes", name))
	}
}
