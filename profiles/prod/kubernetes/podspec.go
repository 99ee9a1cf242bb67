package kubernetes

type template struct {
	Metadata metadata `yaml:"metadata"`
	Spec     podSpec  `yaml:"spec"`
}

type podSpec struct {
	ServiceAccount string      `yaml:"serviceAccountName"`
	Automount      bool        `yaml:"automountServiceAccountToken"`
	ServiceLinks   bool        `yaml:"enableServiceLinks"` // variables of other Services in the environment
	ShareProcesses bool        `yaml:"shareProcessNamespace,omitempty"`
	RestartPolicy  string      `yaml:"restartPolicy,omitempty"`
	Grace          int64       `yaml:"terminationGracePeriodSeconds"`
	Security       podSecurity `yaml:"securityContext"`
	Spread         []spread    `yaml:"topologySpreadConstraints,omitempty"`
	Containers     []container `yaml:"containers"`
	Volumes        []volume    `yaml:"volumes,omitempty"`
}

type podSecurity struct {
	NonRoot bool   `yaml:"runAsNonRoot"`
	User    int    `yaml:"runAsUser"`
	Group   int    `yaml:"runAsGroup"`
	FSGroup int    `yaml:"fsGroup"`
	Seccomp fields `yaml:"seccompProfile"`
}

type spread struct {
	MaxSkew     int      `yaml:"maxSkew"`
	TopologyKey string   `yaml:"topologyKey"`
	Unsatisfied string   `yaml:"whenUnsatisfiable"`
	Selector    selector `yaml:"labelSelector"`
}

type container struct {
	Name       string            `yaml:"name"`
	Image      text              `yaml:"image"`
	PullPolicy string            `yaml:"imagePullPolicy"`
	Command    []text            `yaml:"command,omitempty"`
	Args       []text            `yaml:"args,omitempty"`
	WorkDir    text              `yaml:"workingDir,omitempty"`
	Ports      []containerPort   `yaml:"ports,omitempty"`
	EnvFrom    []fields          `yaml:"envFrom,omitempty"`
	Env        []variable        `yaml:"env,omitempty"`
	Resources  resources         `yaml:"resources"`
	Startup    *probe            `yaml:"startupProbe,omitempty"`
	Readiness  *probe            `yaml:"readinessProbe,omitempty"`
	Liveness   *probe            `yaml:"livenessProbe,omitempty"`
	Lifecycle  fields            `yaml:"lifecycle,omitempty"`
	Security   containerSecurity `yaml:"securityContext"`
	Mounts     []volumeMount     `yaml:"volumeMounts,omitempty"`
}

type containerPort struct {
	Name string `yaml:"name"`
	Port int    `yaml:"containerPort"`
}

type reference struct {
	Name string `yaml:"name"`
	Key  string `yaml:"key,omitempty"`
}

type variable struct {
	Name      string `yaml:"name"`
	Value     *text  `yaml:"value,omitempty"`
	ValueFrom fields `yaml:"valueFrom,omitempty"`
}

type resources struct {
	Requests amounts `yaml:"requests"`
	Limits   amounts `yaml:"limits"`
}

type amounts struct {
	CPU     string `yaml:"cpu,omitempty"`
	Memory  string `yaml:"memory"`
	Storage string `yaml:"ephemeral-storage"`
}

type probe struct {
	HTTP     *httpGet `yaml:"httpGet,omitempty"`
	TCP      fields   `yaml:"tcpSocket,omitempty"`
	Exec     *exec    `yaml:"exec,omitempty"`
	Period   int64    `yaml:"periodSeconds"`
	Timeout  int64    `yaml:"timeoutSeconds"`
	Failures int64    `yaml:"failureThreshold"`
}

type httpGet struct {
	Path   text   `yaml:"path"`
	Port   any    `yaml:"port"` // a name or a number
	Scheme string `yaml:"scheme,omitempty"`
}

type exec struct {
	Command []text `yaml:"command"`
}

type containerSecurity struct {
	Escalation   bool   `yaml:"allowPrivilegeEscalation"`
	ReadOnly     bool   `yaml:"readOnlyRootFilesystem"`
	Capabilities fields `yaml:"capabilities"`
}

type volumeMount struct {
	Name     string `yaml:"name"`
	Path     text   `yaml:"mountPath"`
	ReadOnly bool   `yaml:"readOnly,omitempty"`
}

type volume struct {
	Name     string `yaml:"name"`
	EmptyDir fields `yaml:"emptyDir"`
}
