import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { log, type Pool, reason, type Redis } from '@agentic-sdlc/shared';
import { createPipeline, readPipeline } from './store';

const maxBodyBytes = 16 * 1024;
const maxNameLength = 100;
const readyTimeoutMs = 1_000;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export interface Services {
  pool: Pool;
  redis: Redis;
  /** Called after a pipeline was recorded. */
  onPipeline: () => void;
}

/** Answers a request with this status instead of 500. */
class HttpError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }
}

export function createHttpServer(services: Services): Server {
  return createServer((req, res) => {
    route(services, req, res).catch((err: unknown) => {
      // What is no HttpError comes from Postgres: the request may be right a moment later.
      const known = err instanceof HttpError ? err : new HttpError(503, 'not available at the moment', { 'retry-after': '1' });
      if (known !== err) log.error(`${req.method} ${req.url}: ${reason(err)}`);
      if (!res.headersSent) answer(res, known.status, { error: known.message }, known.headers);
    });
  });
}

async function route(services: Services, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const path = (req.url ?? '/').split('?')[0]!;
  if (path === '/healthz') {
    allow(req, 'GET', 'HEAD');
    return answer(res, 200, { status: 'ok' });
  }
  if (path === '/readyz') {
    allow(req, 'GET', 'HEAD');
    return readyz(services, res);
  }
  if (path === '/pipelines') {
    allow(req, 'POST');
    const id = await createPipeline(services.pool, nameIn(await readBody(req)));
    services.onPipeline();
    log.info(`pipeline ${id} accepted`);
    return answer(res, 202, { id }, { location: `/pipelines/${id}` });
  }
  const id = /^\/pipelines\/([^/]+)$/.exec(path)?.[1];
  if (id === undefined) throw new HttpError(404, 'this page does not exist');
  allow(req, 'GET', 'HEAD');
  const pipeline = uuid.test(id) ? await readPipeline(services.pool, id) : undefined;
  if (!pipeline) throw new HttpError(404, 'this pipeline does not exist');
  answer(res, 200, pipeline);
}

/** Ready means that Redis and Postgres answer now, not that they once did. */
async function readyz({ pool, redis }: Services, res: ServerResponse): Promise<void> {
  const [postgresOk, redisOk] = await Promise.all([answers(pool.query('SELECT 1')), answers(redis.ping())]);
  const word = (ok: boolean) => (ok ? 'ok' : 'not available');
  answer(res, postgresOk && redisOk ? 200 : 503, { redis: word(redisOk), postgres: word(postgresOk) });
}

async function answers(question: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, readyTimeoutMs, false)));
  const answered = question.then(() => true).catch(() => false);
  return Promise.race([answered, tooLate]).finally(() => clearTimeout(timer));
}

function allow(req: IncomingMessage, ...methods: string[]): void {
  if (!methods.includes(req.method ?? '')) throw new HttpError(405, `${req.method} is not allowed here`, { allow: methods.join(', ') });
}

/** The whole body as text; one that is too long is not read to its end. */
async function readBody(req: IncomingMessage): Promise<string> {
  const tooLarge = new HttpError(413, `the body is larger than ${maxBodyBytes} bytes`, { connection: 'close' });
  if (Number(req.headers['content-length']) > maxBodyBytes) throw tooLarge;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw tooLarge;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function nameIn(body: string): string {
  let name: unknown;
  try {
    name = (JSON.parse(body) as { name?: unknown } | null)?.name;
  } catch {
    throw new HttpError(400, 'the body is not JSON');
  }
  const usable = typeof name === 'string' && name.trim() !== '' && name.length <= maxNameLength && !/\p{Cc}/u.test(name);
  if (!usable) throw new HttpError(400, `"name" must be a text of 1 to ${maxNameLength} printable characters`);
  return name as string;
}

function answer(res: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  const text = `${JSON.stringify(body)}\n`;
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
  res.end(text);
}
