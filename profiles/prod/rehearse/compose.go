package rehearse

import (
	"context"
	"errors"
	"path/filepath"
)

// rehearseCompose has docker compose run the exported file as it is.
func (s *session) rehearseCompose(ctx context.Context, o Options) ([]Check, error) {
	p := s.newProject(o, "compose", filepath.Join(o.Dir, "compose.yaml"))
	err := p.prove(ctx)
	err = errors.Join(err, p.end(ctx))
	p.target = "swarm"
	p.add("stack", "starts", NotProven, 0, "the file is Compose's: a Swarm ignores restart, memswap_limit, security_opt and depends_on's conditions; and making this engine a Swarm would change more than this rehearsal")
	return p.checks, err
}
