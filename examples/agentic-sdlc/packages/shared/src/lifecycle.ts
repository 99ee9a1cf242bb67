import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { log, type Outage, reason } from './log';

/** How long a process may take to finish its work in hand after SIGTERM. */
const stopTimeoutMs = 8_000;

/** Aborted by the first SIGTERM or SIGINT: loops look at it, pauses end by it. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      log.info(`stopping (${name})`);
      setTimeout(() => {
        log.error(`work in hand did not end within ${stopTimeoutMs / 1000} s, leaving it to the next start`);
        process.exit(1);
      }, stopTimeoutMs).unref();
      controller.abort();
    });
  }
  return controller.signal;
}

/** Runs a process's main function: exit code 0 when it returns, 1 with one line when it throws. */
export function main(run: () => Promise<void>): void {
  run().then(
    () => {
      log.info('stopped');
      process.exit(0);
    },
    (err: unknown) => {
      log.error(reason(err));
      process.exit(1);
    },
  );
}

/** A pause that the stop signal ends early. */
export async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stop }).catch(() => undefined);
}

/** Waits for `work`, but no longer than until the process stops (undefined then); a late failure is nobody's. */
export async function unlessStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T | undefined> {
  work.catch(() => undefined);
  const stopped = new AbortController();
  try {
    return await Promise.race([work, once(stop, 'abort', { signal: stopped.signal }).then(() => undefined)]);
  } finally {
    stopped.abort();
  }
}

/** Repeats `attempt` until it succeeds, or until the process stops. */
export async function untilAvailable(outage: Outage, stop: AbortSignal, attempt: () => Promise<unknown>): Promise<void> {
  for (let delay = 100; !stop.aborted; delay = Math.min(delay * 2, 1_000)) {
    try {
      await attempt();
      outage.end();
      return;
    } catch (err) {
      outage.begin(err);
      await pause(delay, stop);
    }
  }
}

/** Tells a process manager that waits for it (wait_ready) that this process is ready. */
export function sendReady(): void {
  // The callback takes the error of a parent that is already gone.
  process.send?.('ready', undefined, undefined, () => undefined);
}
