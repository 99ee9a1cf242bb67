import { createClient } from 'redis';
import { Outage } from './log';

/** Reconnects for ever; a command sent meanwhile fails at once instead of waiting in a queue. */
export function createRedis(redisUrl: string, outage: Outage) {
  const client = createClient({
    url: redisUrl,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    pingInterval: 2_000,
    socket: {
      connectTimeout: 2_000,
      // Longer than a blocking read and than the ping interval: only a dead connection is ever this silent.
      socketTimeout: 6_000,
      reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, 1_000),
    },
  });
  client.on('error', (err: unknown) => outage.begin(err));
  client.on('ready', () => outage.end());
  return client;
}

export type Redis = ReturnType<typeof createRedis>;
