#!/usr/bin/env node
// Plain JavaScript, so that an old Node prints this message and not a syntax error.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`rollcall needs Node 20.19 or newer; this is ${process.versions.node}\n`);
  process.exit(1);
}
const isWrapper = process.pid === 1 && process.argv[2] === 'run';
// Before the other modules are loaded: the process that runs below the reaper loads them again.
const { runBelowReaper } = isWrapper ? await import('../dist/process-one.js') : {};
const isDone = await runBelowReaper?.((line) => process.stderr.write(`rollcall: ${line}\n`));
if (!isDone) {
  const { main } = await import('../dist/index.js');
  await main(process.argv);
}
