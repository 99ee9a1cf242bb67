import { Pool, type PoolClient } from 'pg';

export type { Pool, PoolClient };

/** A pool that gives up on a silent server after seconds, never minutes. Errors reach the caller of each query. */
export function createPool(databaseUrl: string): Pool {
  const pool = new Pool({
    connectionString: databaseUrl,
    max: 4,
    connectionTimeoutMillis: 2_000,
    query_timeout: 5_000,
    keepAlive: true,
  });
  // An idle connection that breaks is replaced by the next query, which reports an outage if there is one.
  pool.on('error', () => undefined);
  return pool;
}

/** Lends one connection; it is closed instead of reused, with its locks and its transaction, when `use` throws. */
export async function withClient<T>(pool: Pool, use: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  // Without a listener a connection that breaks between two queries would end the process.
  const ignore = () => undefined;
  client.on('error', ignore);
  try {
    const value = await use(client);
    client.off('error', ignore);
    client.release();
    return value;
  } catch (err) {
    client.release(true);
    throw err;
  }
}

/** Runs `use` in one transaction. */
export async function transaction<T>(client: PoolClient, use: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  const value = await use();
  await client.query('COMMIT');
  return value;
}
