/** Plain lines: INFO to stdout, ERROR to stderr. Whoever collects the output adds the time. */
export const log = {
  info(message: string): void {
    process.stdout.write(`INFO ${message}\n`);
  },
  error(message: string): void {
    process.stderr.write(`ERROR ${message}\n`);
  },
};

/** The message of anything thrown; connection errors of Node may carry it only in their parts. */
export function reason(err: unknown): string {
  if (err instanceof AggregateError && err.errors.length > 0) return reason(err.errors[0]);
  if (err instanceof Error) return err.message || err.name;
  return String(err);
}

/** Says one line when a service goes away and one when it is back, however often it fails in between. */
export class Outage {
  private since: number | undefined;

  constructor(private readonly service: string) {}

  begin(err: unknown): void {
    if (this.since !== undefined) return;
    this.since = Date.now();
    log.error(`cannot use ${this.service}, retrying: ${reason(err)}`);
  }

  end(): void {
    if (this.since === undefined) return;
    log.info(`${this.service} works again after ${((Date.now() - this.since) / 1000).toFixed(1)} s`);
    this.since = undefined;
  }
}
