/** The agents in the order in which a pipeline passes through them. */
export const agents = ['scaffold', 'validation', 'e2e', 'integration', 'deployment'] as const;
export type Agent = (typeof agents)[number];

export interface SourceFile {
  path: string;
  content: string;
}

export interface FileDigest {
  path: string;
  bytes: number;
  sha256: string;
}

/** What each agent hands on. Every result is a function of the pipeline's name and the results before it. */
export interface Results {
  scaffold: { slug: string; files: SourceFile[] };
  validation: { checks: string[]; digests: FileDigest[] };
  e2e: { assertions: string[] };
  integration: { root: string; files: FileDigest[] };
  deployment: { artifact: string; version: string; bytes: number; digest: string; steps: string[] };
}

/** An agent's work: pure, so that doing it again after a crash gives the same result. Throws if the pipeline is bad. */
export type Work<A extends Agent> = (name: string, results: Partial<Results>) => Results[A];

/** The result of an earlier agent; the pipeline's order promises that it is there. */
export function resultOf<A extends Agent>(results: Partial<Results>, agent: A): Results[A] {
  const result = results[agent];
  if (result === undefined) throw new Error(`cannot go on: there is no result of the ${agent} agent`);
  return result;
}

/** The agent after this one; undefined after the last. */
export function agentAfter(agent: Agent): Agent | undefined {
  return agents[agents.indexOf(agent) + 1];
}
