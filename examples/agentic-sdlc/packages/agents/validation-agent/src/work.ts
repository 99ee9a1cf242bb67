import { createHash } from 'node:crypto';
import { resultOf, type Results, type SourceFile } from '@agentic-sdlc/shared';

const reserved = ['node-modules', 'favicon-ico', 'con', 'nul'];

/** Checks the scaffold and takes a digest of every file, by which later agents know that nothing changed. */
export function validation(_name: string, results: Partial<Results>): Results['validation'] {
  const { slug, files } = resultOf(results, 'scaffold');
  const checks: [string, boolean][] = [
    ['the name makes a package name', /^[a-z0-9]+(-[a-z0-9]+)*$/.test(slug)],
    ['the package name is not reserved', !reserved.includes(slug)],
    ['paths are relative and stay inside', files.every(({ path }) => !path.startsWith('/') && !path.split('/').includes('..'))],
    ['no path occurs twice', new Set(files.map(({ path }) => path)).size === files.length],
    ['no file is empty', files.every(({ content }) => content.length > 0)],
    ['package.json names the package', packageName(files) === slug],
  ];
  const failed = checks.find(([, passed]) => !passed);
  if (failed) throw new Error(`check failed: ${failed[0]}`);
  return { checks: checks.map(([check]) => check), digests: files.map(digestOf) };
}

function digestOf({ path, content }: SourceFile) {
  return { path, bytes: Buffer.byteLength(content), sha256: createHash('sha256').update(content).digest('hex') };
}

function packageName(files: SourceFile[]): unknown {
  const manifest = files.find(({ path }) => path === 'package.json');
  return manifest && (JSON.parse(manifest.content) as { name?: unknown }).name;
}
