package kubernetes

import "devstack/profiles/prod"

// The structs below are the parts of Kubernetes' API that are used, in the order in which people write them.

// fields are a part that is written in one place, in alphabetical order.
type fields map[string]any

type object struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   metadata `yaml:"metadata"`
	Automount  *bool    `yaml:"automountServiceAccountToken,omitempty"` // of a ServiceAccount, which has no spec
	Spec       any      `yaml:"spec,omitempty"`
}

type metadata struct {
	Name   string `yaml:"name,omitempty"`
	Labels any    `yaml:"labels,omitempty"`
}

// labels are Kubernetes' recommended ones.
type labels struct {
	Name      string `yaml:"app.kubernetes.io/name,omitempty"`
	Component string `yaml:"app.kubernetes.io/component,omitempty"`
	PartOf    string `yaml:"app.kubernetes.io/part-of"`
	ManagedBy string `yaml:"app.kubernetes.io/managed-by,omitempty"`
}

type selector struct {
	MatchLabels labels `yaml:"matchLabels"`
}

type serviceSpec struct {
	Selector labels        `yaml:"selector"`
	Ports    []servicePort `yaml:"ports"`
}

type servicePort struct {
	Name        string `yaml:"name"`
	Port        int    `yaml:"port"`
	TargetPort  string `yaml:"targetPort"`
	AppProtocol string `yaml:"appProtocol,omitempty"`
}

type deploymentSpec struct {
	Replicas         *int     `yaml:"replicas,omitempty"` // absent: a HorizontalPodAutoscaler's
	RevisionHistory  int      `yaml:"revisionHistoryLimit"`
	ProgressDeadline int64    `yaml:"progressDeadlineSeconds"`
	Selector         selector `yaml:"selector"`
	Strategy         strategy `yaml:"strategy"`
	Template         template `yaml:"template"`
}

type strategy struct {
	Type          string         `yaml:"type"`
	RollingUpdate *rollingUpdate `yaml:"rollingUpdate,omitempty"`
}

type rollingUpdate struct {
	MaxUnavailable int `yaml:"maxUnavailable"`
	MaxSurge       int `yaml:"maxSurge"`
}

type jobSpec struct {
	Suspend      bool     `yaml:"suspend,omitempty"`
	BackoffLimit int      `yaml:"backoffLimit"`
	Template     template `yaml:"template"`
}

type cronJobSpec struct {
	Schedule          string      `yaml:"schedule"`
	TimeZone          string      `yaml:"timeZone"`
	Suspend           bool        `yaml:"suspend,omitempty"`
	ConcurrencyPolicy string      `yaml:"concurrencyPolicy"`
	SuccessfulHistory int         `yaml:"successfulJobsHistoryLimit"`
	FailedHistory     int         `yaml:"failedJobsHistoryLimit"`
	JobTemplate       jobTemplate `yaml:"jobTemplate"`
}

type jobTemplate struct {
	Metadata metadata `yaml:"metadata"`
	Spec     jobSpec  `yaml:"spec"`
}

type budgetSpec struct {
	MaxUnavailable int      `yaml:"maxUnavailable"`
	Unhealthy      string   `yaml:"unhealthyPodEvictionPolicy"`
	Selector       selector `yaml:"selector"`
}

type autoscalerSpec struct {
	Target      fields   `yaml:"scaleTargetRef"`
	MinReplicas int      `yaml:"minReplicas"`
	MaxReplicas int      `yaml:"maxReplicas"`
	Metrics     []metric `yaml:"metrics"`
}

type metric struct {
	Type     string `yaml:"type"`
	Resource fields `yaml:"resource"`
}

type metricTarget struct {
	Type        string `yaml:"type"`
	Utilization int    `yaml:"averageUtilization"`
}

// objects makes the objects of one stack.
type objects struct{ stack string }

// selects are the labels that choose a workload's pods. They never change: a Deployment's selector cannot.
func (o objects) selects(name string) labels { return labels{Name: name, PartOf: o.stack} }

// labels are everything that is said about an object of a workload or of a backing service.
func (o objects) labels(name, component string) labels {
	return labels{Name: name, Component: component, PartOf: o.stack, ManagedBy: "devstack"}
}

func (o objects) object(apiVersion, kind, name, component string, spec any) object {
	return object{APIVersion: apiVersion, Kind: kind, Metadata: metadata{Name: name, Labels: o.labels(name, component)}, Spec: spec}
}

func (o objects) serviceAccount(name, component string) object {
	account := o.object("v1", "ServiceAccount", name, component, nil)
	account.Automount = new(bool)
	return account
}

// template is the pod of a workload, with labels that may change.
func (r *renderer) template(w prod.Workload) template {
	return template{Metadata: metadata{Labels: r.labels(w.Name, string(w.Kind))}, Spec: r.pod(w)}
}
