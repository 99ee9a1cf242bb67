package pilot_test

import "strings"

// restores takes a backup of the database while everything runs, and goes back to it as docs/pilot.md says.
func (s *stack) restores() {
	postgres := map[string]string{
		"native": `set -a; . /etc/devstack/` + s.project + `.env; %s "$DATABASE_URL"`,
		"docker": "docker exec -i " + s.project + "-postgres %s -U agentic agentic_sdlc",
	}[s.infra]
	dump := strings.Replace(postgres, "%s", "pg_dump --clean --if-exists", 1)
	restore := strings.Replace(postgres, "%s", "psql --quiet --single-transaction -v ON_ERROR_STOP=1", 1)

	old := s.submit()
	s.completes(old)
	s.run("%s >/root/backup.sql", dump)
	later := s.submit()
	s.completes(later)

	s.devstack("stop all")
	s.run("%s </root/backup.sql", restore)
	s.devstack("start all")
	s.mustBeReady()
	s.completes(old)
	if out, err := s.ask("/pipelines/"+later, ""); err == nil {
		s.t.Errorf("a pipeline from after the backup is still there:\n%s", out)
	}
	s.completes(s.submit())
}
