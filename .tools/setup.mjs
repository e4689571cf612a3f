/*
 * Sets up a clone: checks the version of Node, installs the dependencies in the lock file, and compiles the workspace. It needs only
 * Node and npm, and writes only inside the clone.
 *
 * npm scripts run this file and then `exec node …`, so that signals reach that process and its exit code is returned.
 */
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`rollcall needs Node 20.19 or newer; this is ${process.versions.node}\n`);
  process.exit(1);
}
// Imported after the check, because an old Node cannot parse it.
const { makeReady } = await import('./workspace.mjs');
await makeReady();
