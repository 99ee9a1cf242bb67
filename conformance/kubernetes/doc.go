// Package kubernetes asks Kubernetes' own code whether what profiles/prod/kubernetes writes is right: its strict decoder, its
// defaults, the validation of its API server, the Pod Security evaluator, kustomize, and the kubelet's expansion of variables.
// No cluster is needed. What only a cluster knows (admission beside Pod Security, quotas, addresses, storage) is not asked.
package kubernetes
