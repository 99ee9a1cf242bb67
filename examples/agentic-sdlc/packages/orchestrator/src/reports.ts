import { acknowledge, agentAfter, type Agent, log, pause, receive, type Redis, reports, type Subscription, unlessStopped } from '@agentic-sdlc/shared';

/** Listens to the agents' reports: each may mean that the next task can be handed on. A lost one only costs half a second. */
export async function followReports(redis: Redis, instance: string, stop: AbortSignal, onReport: () => void): Promise<void> {
  const sub: Subscription = { stream: reports, group: 'orchestrators', consumer: `orchestrator-${instance}` };
  while (!stop.aborted) {
    try {
      for (const message of (await unlessStopped(receive(redis, sub), stop)) ?? []) {
        onReport();
        const { pipeline, agent, status } = message.fields;
        log.info(`pipeline ${pipeline}: ${agent} ${status}`);
        if (status === 'failed' || !agentAfter(agent as Agent)) log.info(`pipeline ${pipeline} ${status}`);
        await acknowledge(redis, sub, message);
      }
    } catch {
      // Redis's client tells of the outage.
      await pause(250, stop);
    }
  }
}
