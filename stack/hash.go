package stack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// composeKeyOrder is the order in which docker compose (since v5.6.0, and all versions before it in effect) writes the
// keys of a service when it computes the config-hash label. Keys that are not named here follow, sorted.
var composeKeyOrder = strings.Fields(`
	profiles annotations attach build develop blkio_config cap_add cap_drop cgroup_parent cgroup cpu_count cpu_percent
	cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpus cpuset cpu_shares command configs container_name
	credential_spec depends_on deploy device_cgroup_rules devices dns dns_opt dns_search dockerfile domainname entrypoint
	provider environment env_file expose extends external_links extra_hosts group_add gpus hostname healthcheck image
	init ipc isolation labels label_file links logging log_driver log_opt mem_limit mem_reservation memswap_limit
	mem_swappiness mac_address models net network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform
	ports privileged pull_policy read_only restart runtime scale secrets security_opt shm_size stdin_open
	stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user userns_mode uts volume_driver
	volumes volumes_from working_dir pre_start post_start pre_stop pull_refresh_after`)

// ServiceHash is the value of docker compose's label com.docker.compose.config-hash. References to other services in
// network_mode, ipc, pid and volumes_from must have been replaced by container ids before, as docker compose does.
func ServiceHash(s types.ServiceConfig) (string, error) {
	// How an image is built and pulled, how many containers there are and what they wait for is no part of one container.
	s.Build, s.PullPolicy, s.Scale, s.DependsOn, s.Profiles = nil, "", nil, nil, nil
	if s.Deploy != nil {
		deploy := *s.Deploy
		deploy.Replicas = nil
		s.Deploy = &deploy
	}
	data, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return "", err
	}
	rest := slices.Sorted(maps.Keys(fields))
	rest = slices.DeleteFunc(rest, func(key string) bool { return slices.Contains(composeKeyOrder, key) })
	var b bytes.Buffer
	for _, key := range slices.Concat(composeKeyOrder, rest) {
		value, ok := fields[key]
		if !ok {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return "", err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	return sha256Hex([]byte("{" + b.String() + "}")), nil
}

// NetworkHash is the value of the same label on a network.
func NetworkHash(n types.NetworkConfig) (string, error) {
	data, err := json.Marshal(&n)
	return sha256Hex(data), err
}

// VolumeHash is the value of the same label on a volume.
func VolumeHash(v types.VolumeConfig) (string, error) {
	if v.Driver == "" {
		v.Driver = "local"
	}
	data, err := json.Marshal(v)
	return sha256Hex(data), err
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
