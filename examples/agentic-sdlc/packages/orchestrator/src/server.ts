import { once } from 'node:events';
import { createPool, createRedis, loadConfig, log, main, Outage, pause, stopSignal, untilAvailable } from '@agentic-sdlc/shared';
import { createHttpServer } from './http';
import { Publisher } from './publisher';
import { followReports } from './reports';
import { migrate } from './schema';

/** How long to wait for the database before answering requests without it. */
const patienceMs = 1_000;

main(async () => {
  const config = loadConfig();
  const port = Number(process.env.PORT ?? 3000);
  const stop = stopSignal();
  log.info(`orchestrator starting (pid ${process.pid})`);

  const postgresOutage = new Outage('postgres');
  const pool = createPool(config.databaseUrl);
  // Two connections to Redis, because one of them spends its life in blocking reads. Only the first tells of outages.
  const redis = createRedis(config.redisUrl, new Outage('redis'));
  const listener = redis.duplicate();
  listener.on('error', () => undefined);
  const publisher = new Publisher(pool, redis, postgresOutage);
  const server = createHttpServer({ pool, redis, onPipeline: () => publisher.wake() });

  for (const client of [redis, listener]) client.connect().catch(() => undefined);
  const migrated = untilAvailable(postgresOutage, stop, () => migrate(pool));
  await Promise.race([migrated, pause(patienceMs, stop)]);
  server.listen(port);
  await once(server, 'listening');
  log.info(`orchestrator listening on port ${port}`);

  await migrated;
  log.info('orchestrator ready');
  await Promise.all([publisher.run(stop), followReports(listener, config.instance, stop, () => publisher.wake())]);

  await new Promise((resolve) => {
    server.close(resolve);
    server.closeIdleConnections();
  });
  redis.destroy();
  listener.destroy();
  await pool.end();
});
