import { reason } from './log';
import { type Agent, agentAfter, type Results } from './pipeline';
import { type Pool, type PoolClient, transaction, withClient } from './postgres';

/** A task taken by this process. */
export interface Task {
  id: string;
  pipelineId: string;
  pipelineName: string;
  agent: Agent;
  /** 1 for the first time somebody took the task. */
  attempt: number;
  results: Partial<Results>;
}

/** What came of a message. `over`: the task had ended before. `busy`: another process has it in hand. */
export type Outcome =
  | { kind: 'completed'; task: Task }
  | { kind: 'failed'; task: Task; error: string }
  | { kind: 'over' }
  | { kind: 'busy' };

/**
 * Takes the task, runs it and records what came of it, at most one process at a time and exactly once:
 * a lock that lives as long as this connection keeps others away, and the result, the task's new state and the
 * next task become visible in one transaction or not at all.
 */
export async function performTask(pool: Pool, taskId: string, run: (task: Task) => Promise<Results[Agent]>): Promise<Outcome> {
  return withClient(pool, async (client) => {
    const lock = await client.query<{ taken: boolean }>(`SELECT pg_try_advisory_lock(hashtext('agentic.tasks'), $1) AS taken`, [taskId]);
    if (!lock.rows[0]?.taken) return { kind: 'busy' };
    const task = await claim(client, taskId);
    const outcome: Outcome = task ? await runAndRecord(client, task, run) : { kind: 'over' };
    await client.query(`SELECT pg_advisory_unlock(hashtext('agentic.tasks'), $1)`, [taskId]);
    return outcome;
  });
}

async function runAndRecord(client: PoolClient, task: Task, run: (task: Task) => Promise<Results[Agent]>): Promise<Outcome> {
  let result: Results[Agent];
  try {
    result = await run(task);
  } catch (err) {
    const error = reason(err);
    await transaction(client, () => recordFailure(client, task, error));
    return { kind: 'failed', task, error };
  }
  await transaction(client, () => recordResult(client, task, result));
  return { kind: 'completed', task };
}

/** A task that is already running has lost its process, else its lock would be held. Undefined: it has ended. */
async function claim(client: PoolClient, taskId: string): Promise<Task | undefined> {
  const taken = await client.query<{ pipeline_id: string; agent: Agent; attempts: number; name: string }>(
    `UPDATE tasks SET status = 'running', attempts = attempts + 1, started_at = now()
       FROM pipelines WHERE tasks.id = $1 AND tasks.status IN ('pending', 'running') AND pipelines.id = tasks.pipeline_id
     RETURNING tasks.pipeline_id, tasks.agent, tasks.attempts, pipelines.name`,
    [taskId],
  );
  const row = taken.rows[0];
  if (!row) return undefined;
  const earlier = await client.query<{ agent: Agent; result: never }>(`SELECT agent, result FROM results WHERE pipeline_id = $1`, [row.pipeline_id]);
  const results: Partial<Results> = {};
  for (const { agent, result } of earlier.rows) results[agent] = result;
  return { id: taskId, pipelineId: row.pipeline_id, pipelineName: row.name, agent: row.agent, attempt: row.attempts, results };
}

async function recordResult(client: PoolClient, task: Task, result: Results[Agent]): Promise<void> {
  await end(client, task, 'completed');
  // The primary key (pipeline, agent) makes a second result an error, whatever else goes wrong.
  await client.query(`INSERT INTO results (pipeline_id, agent, result) VALUES ($1, $2, $3)`, [task.pipelineId, task.agent, JSON.stringify(result)]);
  const next = agentAfter(task.agent);
  if (next) {
    await client.query(`UPDATE tasks SET status = 'pending', publish_at = now() WHERE pipeline_id = $1 AND agent = $2`, [task.pipelineId, next]);
  } else {
    await client.query(`UPDATE pipelines SET status = 'completed', finished_at = now() WHERE id = $1`, [task.pipelineId]);
  }
}

async function recordFailure(client: PoolClient, task: Task, error: string): Promise<void> {
  await end(client, task, 'failed', error);
  await client.query(`UPDATE tasks SET status = 'cancelled' WHERE pipeline_id = $1 AND status = 'waiting'`, [task.pipelineId]);
  await client.query(`UPDATE pipelines SET status = 'failed', finished_at = now() WHERE id = $1`, [task.pipelineId]);
}

/** Ends this attempt and no other: one that somebody took over in the meantime is not ours any more. */
async function end(client: PoolClient, task: Task, status: 'completed' | 'failed', error?: string): Promise<void> {
  const ended = await client.query(
    `UPDATE tasks SET status = $3, error = $4, finished_at = now() WHERE id = $1 AND status = 'running' AND attempts = $2`,
    [task.id, task.attempt, status, error],
  );
  if (ended.rowCount !== 1) throw new Error(`another worker has taken over attempt ${task.attempt} of task ${task.id}`);
}
