import { createHash } from 'node:crypto';
import { resultOf, type Results } from '@agentic-sdlc/shared';

/** Describes the release of the merged tree; its digest changes with every byte of it. */
export function deployment(_name: string, results: Partial<Results>): Results['deployment'] {
  const { slug } = resultOf(results, 'scaffold');
  const { root, files } = resultOf(results, 'integration');
  const version = `0.1.0+${root.slice(0, 12)}`;
  const release = {
    artifact: `${slug}-${version}.tgz`,
    version,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    steps: [`unpack ${slug}-${version}.tgz`, `verify ${root}`, `start node apps/${slug}/src/index.js`],
  };
  const digest = createHash('sha256').update(JSON.stringify(release)).digest('hex');
  return { ...release, digest: `sha256:${digest}` };
}
