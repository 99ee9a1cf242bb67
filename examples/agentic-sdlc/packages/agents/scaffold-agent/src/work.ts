import type { Results, SourceFile } from '@agentic-sdlc/shared';

/** Makes the files of a new project out of its name. */
export function scaffold(name: string): Results['scaffold'] {
  const slug = slugOf(name);
  const files: SourceFile[] = [
    { path: 'package.json', content: `${JSON.stringify({ name: slug, version: '0.1.0', main: 'src/index.js' }, null, 2)}\n` },
    { path: 'README.md', content: `# ${name}\n\nRun \`node src/index.js\`.\n` },
    { path: 'src/index.js', content: indexSource(slug) },
    { path: 'src/version.js', content: `module.exports = '0.1.0';\n` },
  ];
  return { slug, files };
}

/** Lower-case words joined by dashes, as a package name; empty if the name has no letter and no digit. */
function slugOf(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

function indexSource(slug: string): string {
  return [
    `const version = require('./version.js');`,
    ``,
    `exports.greet = (who) => \`Hello, \${who}, from ${slug}\`;`,
    `exports.describe = () => ({ name: '${slug}', version });`,
    ``,
  ].join('\n');
}
