/*
 * Makes a fresh clone ready: the right Node, dependencies as the lock file says, and everything compiled. `npm start`
 * and `npm test` call this and then `exec node …`, so that signals and exit codes of what follows are its own. Needs
 * nothing but Node and npm, and writes nothing outside the clone.
 */
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`rollcall needs Node 20.19 or newer; this is ${process.versions.node}\n`);
  process.exit(1);
}
// Only now: an old Node could not even read it.
const { makeReady } = await import('./workspace.mjs');
await makeReady();
