import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { createContext, Script } from 'node:vm';
import { resultOf, type Results, type SourceFile } from '@agentic-sdlc/shared';

interface App {
  greet(who: string): string;
  describe(): { name: string; version: string };
}

/** Runs the scaffolded program, from memory, and asserts that it does what it should. */
export function e2e(name: string, results: Partial<Results>): Results['e2e'] {
  const { slug, files } = resultOf(results, 'scaffold');
  const manifest = JSON.parse(contentOf(files, 'package.json')) as { main: string; version: string };
  const app = load(files, manifest.main) as App;
  const assertions: [string, () => void][] = [
    ['the program greets', () => assert.equal(app.greet('world'), `Hello, world, from ${slug}`)],
    ['the program knows its name', () => assert.equal(app.describe().name, slug)],
    ['the program and its manifest agree on the version', () => assert.equal(app.describe().version, manifest.version)],
    ['the README names the project', () => assert.ok(contentOf(files, 'README.md').startsWith(`# ${name}\n`))],
  ];
  for (const [, run] of assertions) run();
  return { assertions: assertions.map(([title]) => title) };
}

/** Loads a CommonJS module of the scaffold; it sees nothing but its own files. */
function load(files: SourceFile[], path: string): unknown {
  const module = { exports: {} as unknown };
  const require = (target: string) => load(files, posix.join(posix.dirname(path), target));
  const context = createContext({ module, exports: module.exports, require });
  new Script(contentOf(files, path), { filename: path }).runInContext(context, { timeout: 1_000 });
  return module.exports;
}

function contentOf(files: SourceFile[], path: string): string {
  const file = files.find((candidate) => candidate.path === path);
  if (!file) throw new Error(`${path} is missing`);
  return file.content;
}
