package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"devstack/infra"
)

// Stats asks for one sample and not for the engine's two, which take a second.
func (d *Driver) Stats(ctx context.Context, id string) (infra.Stats, error) {
	answer, err := d.api.ContainerStats(ctx, id, client.ContainerStatsOptions{})
	if errdefs.IsNotFound(err) {
		return infra.Stats{}, infra.ErrNotFound
	}
	if err != nil {
		return infra.Stats{}, err
	}
	defer answer.Body.Close()
	var s container.StatsResponse
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
		return infra.Stats{}, fmt.Errorf("cannot read the sample: %w", err)
	}
	if s.Read.Year() <= 1 {
		return infra.Stats{}, fmt.Errorf("container %s does not run", id)
	}
	return infra.Stats{At: s.Read, Memory: memoryOf(s.MemoryStats), CPU: time.Duration(s.CPUStats.CPUUsage.TotalUsage)}, nil
}

// memoryOf leaves out the page cache that the kernel would drop first: total_inactive_file in cgroup v1, where
// inactive_file is without child groups, inactive_file in v2. A kernel that does not count says 0.
func memoryOf(m container.MemoryStats) int64 {
	if m.Usage == 0 {
		return -1
	}
	for _, key := range []string{"total_inactive_file", "inactive_file"} {
		if cache, ok := m.Stats[key]; ok && cache < m.Usage {
			return int64(m.Usage - cache)
		}
	}
	return int64(m.Usage)
}
