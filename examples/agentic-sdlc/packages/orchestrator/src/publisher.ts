import { type Agent, log, type Outage, pause, type Pool, type Redis, send, tasksOf } from '@agentic-sdlc/shared';

const pollMs = 500;

/**
 * Hands every task that may run to its agent, and again after 2, 4, 8, then every 15 s until it has ended, in case
 * Redis or an agent lost the message. Agents recognise repetitions. Postgres is the queue, Redis only the bell.
 */
export class Publisher {
  private bell = new AbortController();
  private redisReturned = false;

  constructor(
    private readonly pool: Pool,
    private readonly redis: Redis,
    private readonly postgresOutage: Outage,
  ) {
    redis.on('ready', () => {
      this.redisReturned = true;
      this.wake();
    });
  }

  /** There is something to publish: look now, not at the next turn. */
  wake(): void {
    this.bell.abort();
  }

  async run(stop: AbortSignal): Promise<void> {
    stop.addEventListener('abort', () => this.wake());
    while (!stop.aborted) {
      this.bell = new AbortController();
      await this.publishDue();
      await pause(pollMs, this.bell.signal);
    }
  }

  private async publishDue(): Promise<void> {
    if (!this.redis.isReady) return;
    let due: { id: number; agent: Agent; sent: number }[];
    try {
      // A Redis that comes back may come back empty.
      if (this.redisReturned) await this.pool.query(`UPDATE tasks SET sent = 0, publish_at = now() WHERE status IN ('pending', 'running')`);
      this.redisReturned = false;
      // One statement takes the tasks and sets their next time, so that several orchestrators share the work.
      const taken = await this.pool.query(
        `UPDATE tasks SET sent = sent + 1, publish_at = now() + least(15, 2 ^ (sent + 1)) * interval '1 second'
          WHERE status IN ('pending', 'running') AND publish_at <= now() RETURNING id, agent, sent`,
      );
      due = taken.rows;
      this.postgresOutage.end();
    } catch (err) {
      this.postgresOutage.begin(err);
      return;
    }
    for (const { id, agent, sent } of due) {
      try {
        await send(this.redis, tasksOf(agent), { task: String(id) });
      } catch {
        // Redis's client tells of the outage; when it is over, everything is due again.
        this.redisReturned = true;
        return;
      }
      log.info(`task ${id} handed to ${agent}${sent > 1 ? ` (again, ${sent})` : ''}`);
    }
  }
}
