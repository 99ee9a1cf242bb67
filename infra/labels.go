package infra

// The labels of Docker Compose. devstack writes these and no others, so that both see and adopt each other's containers.
const (
	LabelProject     = "com.docker.compose.project"
	LabelService     = "com.docker.compose.service"
	LabelVersion     = "com.docker.compose.version"
	LabelWorkingDir  = "com.docker.compose.project.working_dir"
	LabelConfigFiles = "com.docker.compose.project.config_files"
	LabelOneoff      = "com.docker.compose.oneoff"
	LabelHash        = "com.docker.compose.config-hash"
	LabelNumber      = "com.docker.compose.container-number"
	LabelDependsOn   = "com.docker.compose.depends_on"
	LabelImage       = "com.docker.compose.image"
	LabelReplace     = "com.docker.compose.replace"
	LabelNetwork     = "com.docker.compose.network"
	LabelVolume      = "com.docker.compose.volume"
)

// ComposeVersion is the version of Docker Compose whose labels, names and hashes devstack writes.
const ComposeVersion = "5.6.0"
