import type { Agent } from './pipeline';
import type { Redis } from './redis';

/**
 * Messages over Redis streams. A message is only ever a hint to look into Postgres: it may come late, twice or,
 * after Redis lost its data, never (the orchestrator sends it again then).
 */
export interface Message {
  id: string;
  fields: Record<string, string>;
}

/** A place in a consumer group; the name of the consumer stays the same over restarts. */
export interface Subscription {
  stream: string;
  group: string;
  consumer: string;
}

export const reports = 'agentic:reports';
export const tasksOf = (agent: Agent): string => `agentic:tasks:${agent}`;

const blockMs = 1_000;
const claimIdleMs = 1_500;

/** Old entries go: whoever still needed one gets a new one from the orchestrator. */
export async function send(redis: Redis, stream: string, fields: Record<string, string>): Promise<void> {
  await redis.xAdd(stream, '*', fields, {
    TRIM: { strategy: 'MAXLEN', strategyModifier: '~', threshold: 10_000 },
  });
}

/** Creates stream and group where they do not exist, to read from the beginning. */
export async function ensureGroup(redis: Redis, { stream, group }: Subscription): Promise<void> {
  try {
    await redis.xGroupCreate(stream, group, '0', { MKSTREAM: true });
  } catch (err) {
    if (!isReply(err, 'BUSYGROUP')) throw err;
  }
}

/**
 * The next messages: those that a consumer took and never acknowledged, then new ones, waiting up to a second.
 * A group that vanished with Redis's data is created again.
 */
export async function receive(redis: Redis, sub: Subscription): Promise<Message[]> {
  try {
    const stale = await redis.xAutoClaim(sub.stream, sub.group, sub.consumer, claimIdleMs, '0-0', { COUNT: 10 });
    const claimed = stale.messages.filter((message) => message !== null);
    if (claimed.length > 0) return claimed.map(toMessage);
    const streams = await redis.xReadGroup(sub.group, sub.consumer, { key: sub.stream, id: '>' }, { COUNT: 10, BLOCK: blockMs });
    return (streams ?? []).flatMap((stream) => stream.messages.map(toMessage));
  } catch (err) {
    // UNBLOCKED: it vanished while we were waiting.
    if (!isReply(err, 'NOGROUP') && !isReply(err, 'UNBLOCKED')) throw err;
    await ensureGroup(redis, sub);
    return [];
  }
}

export async function acknowledge(redis: Redis, { stream, group }: Subscription, message: Message): Promise<void> {
  await redis.xAck(stream, group, message.id);
}

function toMessage(raw: { id: string; message: Record<string, string> }): Message {
  return { id: raw.id, fields: raw.message };
}

function isReply(err: unknown, code: string): boolean {
  return err instanceof Error && err.message.startsWith(code);
}
