import { randomUUID } from 'node:crypto';
import { agents, type Pool, transaction, withClient } from '@agentic-sdlc/shared';

/** Records a pipeline with all its tasks; only the first may start. */
export async function createPipeline(pool: Pool, name: string): Promise<string> {
  const id = randomUUID();
  await withClient(pool, (client) =>
    transaction(client, async () => {
      await client.query(`INSERT INTO pipelines (id, name) VALUES ($1, $2)`, [id, name]);
      await client.query(
        `INSERT INTO tasks (pipeline_id, agent, position, status, publish_at)
         SELECT $1, agent, position, CASE WHEN position = 1 THEN 'pending' ELSE 'waiting' END, CASE WHEN position = 1 THEN now() END
           FROM unnest($2::text[]) WITH ORDINALITY AS step (agent, position)`,
        [id, agents],
      );
    }),
  );
  return id;
}

/** The pipeline as the API shows it; undefined if there is none with this id. */
export async function readPipeline(pool: Pool, id: string): Promise<object | undefined> {
  const found = await pool.query<{ pipeline: object }>(
    `SELECT json_build_object(
              'id', id, 'name', name, 'status', status, 'created_at', created_at, 'finished_at', finished_at,
              'tasks', (SELECT json_agg(json_build_object(
                          'agent', agent, 'status', tasks.status, 'attempts', attempts, 'result', result, 'error', error,
                          'started_at', started_at, 'finished_at', tasks.finished_at) ORDER BY position)
                          FROM tasks LEFT JOIN results USING (pipeline_id, agent) WHERE pipeline_id = pipelines.id)) AS pipeline
       FROM pipelines WHERE id = $1`,
    [id],
  );
  return found.rows[0]?.pipeline;
}
