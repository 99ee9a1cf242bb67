import { loadConfig } from './config';
import { main, pause, sendReady, stopSignal, unlessStopped, untilAvailable } from './lifecycle';
import { log, Outage } from './log';
import type { Agent, Results, Work } from './pipeline';
import { createPool, type Pool } from './postgres';
import { createRedis, type Redis } from './redis';
import { acknowledge, ensureGroup, type Message, receive, reports, send, type Subscription, tasksOf } from './streams';
import { type Outcome, performTask, type Task } from './tasks';

/**
 * The main loop of every agent: receive a task, do it, record it in Postgres, report it, acknowledge it.
 * In this order a crash at any point leaves a message that is delivered again, and Postgres decides if it still means work.
 */
export function runAgent<A extends Agent>(agent: A, work: Work<A>): void {
  main(async () => {
    const config = loadConfig();
    const stop = stopSignal();
    log.info(`${agent} agent starting (pid ${process.pid})`);

    const redisOutage = new Outage('redis');
    const postgresOutage = new Outage('postgres');
    const redis = createRedis(config.redisUrl, redisOutage);
    const pool = createPool(config.databaseUrl);
    const sub: Subscription = { stream: tasksOf(agent), group: `${agent}-agents`, consumer: `${agent}-${config.instance}` };

    redis.connect().catch(() => undefined);
    await untilAvailable(postgresOutage, stop, () => pool.query('SELECT FROM results LIMIT 0'));
    await untilAvailable(redisOutage, stop, () => ensureGroup(redis, sub));
    if (stop.aborted) return;
    log.info(`${agent} agent ready`);
    sendReady();

    const run = async (task: Task): Promise<Results[A]> => {
      log.info(`task ${task.id} begin: ${agent} of "${task.pipelineName}" (pipeline ${task.pipelineId}, attempt ${task.attempt})`);
      if (config.taskPaceMs > 0) await new Promise((resolve) => setTimeout(resolve, config.taskPaceMs));
      return work(task.pipelineName, task.results);
    };
    await consume({ redis, pool, sub, stop, run, redisOutage, postgresOutage });
    redis.destroy();
    await pool.end();
  });
}

interface Loop {
  redis: Redis;
  pool: Pool;
  sub: Subscription;
  stop: AbortSignal;
  run: (task: Task) => Promise<Results[Agent]>;
  redisOutage: Outage;
  postgresOutage: Outage;
}

/** Handles messages one after the other until the process stops; no outage ends it. */
async function consume(loop: Loop): Promise<void> {
  const { redis, sub, stop, redisOutage } = loop;
  while (!stop.aborted) {
    try {
      const messages = await unlessStopped(receive(redis, sub), stop);
      redisOutage.end();
      for (const message of messages ?? []) {
        if (!stop.aborted) await handle(loop, message);
      }
    } catch (err) {
      redisOutage.begin(err);
      await pause(250, stop);
    }
  }
}

/** A message that is not acknowledged here, for whatever reason, is delivered again after a moment. */
async function handle({ redis, pool, sub, stop, run, postgresOutage }: Loop, message: Message): Promise<void> {
  let outcome: Outcome;
  try {
    outcome = await performTask(pool, message.fields.task ?? '', run);
    postgresOutage.end();
  } catch (err) {
    postgresOutage.begin(err);
    await pause(250, stop);
    return;
  }
  if (outcome.kind === 'busy') return;
  if (outcome.kind !== 'over') {
    const { task } = outcome;
    if (outcome.kind === 'completed') log.info(`task ${task.id} end: completed`);
    else log.error(`task ${task.id} end: failed: ${outcome.error}`);
    await send(redis, reports, { task: task.id, pipeline: task.pipelineId, agent: task.agent, status: outcome.kind });
  }
  await acknowledge(redis, sub, message);
}
