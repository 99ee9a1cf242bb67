import { type Pool, transaction, withClient } from '@agentic-sdlc/shared';

const schema = `
  CREATE TABLE IF NOT EXISTS pipelines (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    status      text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'completed', 'failed')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
  );
  CREATE TABLE IF NOT EXISTS tasks (
    id          integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    pipeline_id uuid NOT NULL REFERENCES pipelines,
    agent       text NOT NULL,
    position    integer NOT NULL,
    status      text NOT NULL CHECK (status IN ('waiting', 'pending', 'running', 'completed', 'failed', 'cancelled')),
    attempts    integer NOT NULL DEFAULT 0,
    error       text,
    started_at  timestamptz,
    finished_at timestamptz,
    sent        integer NOT NULL DEFAULT 0,
    publish_at  timestamptz,
    UNIQUE (pipeline_id, agent)
  );
  CREATE INDEX IF NOT EXISTS tasks_to_publish ON tasks (publish_at) WHERE status IN ('pending', 'running');
  CREATE TABLE IF NOT EXISTS results (
    pipeline_id  uuid NOT NULL REFERENCES pipelines,
    agent        text NOT NULL,
    result       jsonb NOT NULL,
    completed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline_id, agent)
  );
`;

/** Creates what is missing. Any number of processes may do so at the same time: they take turns. */
export async function migrate(pool: Pool): Promise<void> {
  await withClient(pool, (client) =>
    transaction(client, async () => {
      await client.query(`SELECT pg_advisory_xact_lock(hashtext('agentic.migration'))`);
      await client.query(schema);
    }),
  );
}
