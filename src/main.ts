#!/usr/bin/env node
// Nothing is imported before the version is known: an older Node would fail on the first module with a message that helps nobody.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `castellan needs Node.js 24 or later; this is ${process.version}. inside the repository \`npm run\` brings its own.\n`,
  );
  process.exit(2);
}
process.removeAllListeners('warning');
process.on('warning', (warning) => {
  // node:sqlite is a release candidate in Node 24 and says so at each start; the rest is worth reading.
  if (warning.name !== 'ExperimentalWarning') process.stderr.write(`${warning.name}: ${warning.message}\n`);
});
// Compiled code is kept between runs: a command then starts in half the time. Where that cannot be written, nothing is kept.
const { enableCompileCache } = await import('node:module');
enableCompileCache();
const [{ run }, { application }] = await Promise.all([import('./cli/program.ts'), import('./app.ts')]);
process.exitCode = await run(process.argv.slice(2), application);
export {};
