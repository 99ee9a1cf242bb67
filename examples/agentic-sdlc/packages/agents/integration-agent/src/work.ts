import { createHash } from 'node:crypto';
import { type FileDigest, resultOf, type Results, type SourceFile } from '@agentic-sdlc/shared';

/** Merges the project into the common repository under apps/, with a record of what was tested. */
export function integration(_name: string, results: Partial<Results>): Results['integration'] {
  const { slug, files } = resultOf(results, 'scaffold');
  const { checks, digests } = resultOf(results, 'validation');
  const { assertions } = resultOf(results, 'e2e');

  const record: SourceFile = { path: 'TESTED.md', content: [...checks, ...assertions].map((line) => `- ${line}\n`).join('') };
  const merged = [...files, record].map((file) => ({ ...digestOf(file), path: `apps/${slug}/${file.path}` }));
  for (const { path, sha256 } of digests) {
    const found = merged.find((file) => file.path === `apps/${slug}/${path}`);
    if (found?.sha256 !== sha256) throw new Error(`${path} is not the file that was validated`);
  }
  merged.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { root: rootOf(merged), files: merged };
}

function digestOf({ path, content }: SourceFile): FileDigest {
  return { path, bytes: Buffer.byteLength(content), sha256: createHash('sha256').update(content).digest('hex') };
}

/** One digest of the whole tree. */
function rootOf(files: FileDigest[]): string {
  const hash = createHash('sha256');
  for (const { path, sha256 } of files) hash.update(`${sha256}  ${path}\n`);
  return hash.digest('hex');
}
