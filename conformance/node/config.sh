# shellcheck shell=bash
# shellcheck disable=SC2154 # the variables are those of conformance/node/cluster
# What the programs of a node are told: keys and configuration files. Sourced by conformance/node/cluster, never run.

write_keys() {
	token=$(openssl rand -hex 24)
	echo "$token,rehearsal,rehearsal,system:masters" >"$data/tokens.csv"
	openssl ecparam -name prime256v1 -genkey -noout -out "$data/accounts.key"
	# By this one the kubelet knows the API server.
	openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /O=system:masters/CN=kube-apiserver \
		-keyout "$data/kubelet-client.key" -out "$data/kubelet-client.crt" 2>/dev/null
}

write_kubeconfig() {
	cat >"$data/kubeconfig" <<-END
		apiVersion: v1
		kind: Config
		current-context: $context
		contexts: [{name: $context, context: {cluster: $context, user: $context}}]
		clusters: [{name: $context, cluster: {server: "$server", certificate-authority-data: "$(base64 -w 0 "$data/certs/apiserver.crt")"}}]
		users: [{name: $context, user: {token: "$token"}}]
	END
}

# restrict_oom_score_adj: without CAP_SYS_RESOURCE no score can be lowered, and runc would fail.
# _default: whatever registry an image's name says, the one on loopback is asked.
write_containerd() {
	mkdir -p "$data/cni" "$data/hosts/_default"
	printf '[host."http://%s"]\ncapabilities = ["pull", "resolve"]\n' "$registry" >"$data/hosts/_default/hosts.toml"
	cat >"$data/cni/10-bridge.conf" <<-END
		{"cniVersion": "0.4.0", "name": "devstack-rehearsal", "type": "bridge", "bridge": "$bridge",
		 "isGateway": true, "hairpinMode": true,
		 "ipam": {"type": "host-local", "dataDir": "$data/addresses", "routes": [{"dst": "0.0.0.0/0"}],
		  "ranges": [[{"subnet": "$pods", "rangeStart": "10.85.1.1", "gateway": "$node_ip"}]]}}
	END
	cat >"$data/containerd.toml" <<-END
		version = 2
		root = "$data/containerd"
		state = "$run/containerd"
		[grpc]
		address = "$run/containerd.sock"
		[plugins."io.containerd.grpc.v1.cri"]
		sandbox_image = "docker.io/devstack-rehearsal/pause:1"
		restrict_oom_score_adj = true
		netns_mounts_under_state_dir = true
		[plugins."io.containerd.grpc.v1.cri".cni]
		bin_dir = "/usr/lib/cni"
		conf_dir = "$data/cni"
		[plugins."io.containerd.grpc.v1.cri".registry]
		config_path = "$data/hosts"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
		runtime_type = "io.containerd.runc.v2"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
		Root = "$run/runc"
	END
}

write_kubelet() {
	cat >"$data/kubelet.yaml" <<-END
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		address: $node_ip
		healthzPort: 0
		authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: $data/kubelet-client.crt}}
		authorization: {mode: AlwaysAllow}
		cgroupDriver: cgroupfs
		failCgroupV1: false
		failSwapOn: false
		enforceNodeAllocatable: []
		oomScoreAdj: 0
		makeIPTablesUtilChains: false
		clusterDomain: cluster.local
		clusterDNS: [$node_ip]
		resolvConf: ""
		containerRuntimeEndpoint: unix://$run/containerd.sock
		podLogsDir: $data/pod-logs
		volumePluginDir: $data/volume-plugins
		serializeImagePulls: false
		imageGCHighThresholdPercent: 100
		evictionHard: {memory.available: 50Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
	END
	cat >"$data/kube-proxy.yaml" <<-END
		apiVersion: kubeproxy.config.k8s.io/v1alpha1
		kind: KubeProxyConfiguration
		mode: iptables
		clientConnection: {kubeconfig: $data/kubeconfig}
		hostnameOverride: rehearsal
		clusterCIDR: $pods
		healthzBindAddress: $node_ip:10256
		metricsBindAddress: $node_ip:10249
		oomScoreAdj: 0
		conntrack: {maxPerCore: 0, min: 0}
	END
}

write_others() {
	printf 'version: 0.1\nlog: {level: warn, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "%s", relativeurls: true}\n' \
		"$data/registry" "$registry" >"$data/registry.yml"
	cat >"$data/Corefile" <<-END
		.:53 {
			bind $node_ip
			ready $node_ip:8181
			errors
			cache 5
			kubernetes cluster.local $services $pods {
				kubeconfig $data/kubeconfig $context
			}
		}
	END
}
