/** What a process of this stack reads from its environment. */
export interface Config {
  databaseUrl: string;
  redisUrl: string;
  /** Number of this instance of the app, 0 when there is only one. */
  instance: string;
  /** Milliseconds added to every task, so that there is time to watch a pipeline; 0 by default. */
  taskPaceMs: number;
}

// The agents of this sample work offline: the API key is asked for, as in a real stack, but never used.
const required = ['DATABASE_URL', 'REDIS_URL', 'ANTHROPIC_API_KEY'];

/** Reads the configuration; throws one error that names every missing variable. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const missing = required.filter((key) => !env[key]);
  if (missing.length > 0) throw new Error(`cannot start: the environment does not set ${missing.join(', ')}`);
  return {
    databaseUrl: env.DATABASE_URL!,
    redisUrl: env.REDIS_URL!,
    instance: env.NODE_APP_INSTANCE ?? '0',
    taskPaceMs: Number(env.TASK_PACE_MS) || 0,
  };
}
