// The agents' work is pure: no service is needed to test it.
import assert from 'node:assert/strict';
import test from 'node:test';
import shared from '../packages/shared/dist/index.js';
import { scaffold } from '../packages/agents/scaffold-agent/dist/work.js';
import { validation } from '../packages/agents/validation-agent/dist/work.js';
import { e2e } from '../packages/agents/e2e-agent/dist/work.js';
import { integration } from '../packages/agents/integration-agent/dist/work.js';
import { deployment } from '../packages/agents/deployment-agent/dist/work.js';

const works = { scaffold, validation, e2e, integration, deployment };

/** All results of a pipeline, or those up to and including one agent. */
function run(name, last = 'deployment') {
  const results = {};
  for (const agent of shared.agents) {
    results[agent] = works[agent](name, results);
    if (agent === last) break;
  }
  return results;
}

test('a pipeline gives the same results every time', () => {
  assert.deepEqual(run('Élan Vital 2'), run('Élan Vital 2'));
});

test('another name gives another release', () => {
  assert.notEqual(run('one').deployment.digest, run('two').deployment.digest);
});

test('scaffold makes a package name of any name', () => {
  for (const [name, slug] of [['demo', 'demo'], ['Élan Vital 2', 'elan-vital-2'], ['  a__b!  ', 'a-b'], ['!!!', '']]) {
    assert.equal(scaffold(name).slug, slug, name);
  }
});

test('validation refuses a name without letters and a reserved one', () => {
  assert.throws(() => run('!!!'), /the name makes a package name/);
  assert.throws(() => run('node modules'), /not reserved/);
});

test('validation refuses a path that leaves the project', () => {
  const results = run('demo', 'scaffold');
  results.scaffold.files[0].path = '../package.json';
  assert.throws(() => validation('demo', results), /paths are relative/);
});

test('e2e fails when the program does not do what it should', () => {
  const results = run('demo', 'validation');
  const index = results.scaffold.files.find(({ path }) => path === 'src/index.js');
  index.content = index.content.replace('Hello', 'Bye');
  assert.throws(() => e2e('demo', results), assert.AssertionError);
});

test('e2e works for names with quotes and markup', () => {
  assert.equal(run(`it's "the" <b>\${1}</b> \\ one`, 'e2e').e2e.assertions.length, 4);
});

test('integration refuses a file that changed after its validation', () => {
  const results = run('demo', 'e2e');
  results.scaffold.files[1].content += 'more\n';
  assert.throws(() => integration('demo', results), /README.md is not the file that was validated/);
});

test('deployment describes the merged tree', () => {
  const { integration: merged, deployment: release } = run('demo');
  assert.equal(release.bytes, merged.files.reduce((sum, { bytes }) => sum + bytes, 0));
  assert.equal(release.version, `0.1.0+${merged.root.slice(0, 12)}`);
  assert.match(release.digest, /^sha256:[0-9a-f]{64}$/);
});

test('an agent without the result it builds on says which', () => {
  assert.throws(() => deployment('demo', {}), /no result of the scaffold agent/);
});

test('every variable that is missing is named at once', () => {
  assert.throws(() => shared.loadConfig({ REDIS_URL: 'redis://localhost' }), /DATABASE_URL, ANTHROPIC_API_KEY/);
});
