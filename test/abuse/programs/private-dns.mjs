/**
 * Loaded into every process of a site by NODE_OPTIONS. Names below `.test` resolve to the addresses in the file
 * ROLLCALL_TEST_NAMES at the time of the lookup, like a resolver whose answers change.
 */
import dns from 'node:dns';
import dnsPromises from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isIP } from 'node:net';

const { lookup } = dns;
const promised = dnsPromises.lookup;

function known(name) {
  if (!name.endsWith('.test')) return undefined;
  const addresses = JSON.parse(readFileSync(process.env.ROLLCALL_TEST_NAMES, 'utf8'))[name] ?? [];
  return addresses.map((address) => ({ address, family: isIP(address) }));
}

dns.lookup = (name, options, done) => {
  const found = known(name);
  if (found === undefined) return lookup(name, options, done);
  const isAll = typeof options === 'object' && options.all === true;
  const callback = done ?? options;
  process.nextTick(() => (isAll ? callback(null, found) : callback(null, found[0].address, found[0].family)));
};
dnsPromises.lookup = async (name, options) => {
  const found = known(name);
  if (found === undefined) return promised(name, options);
  return options?.all ? found : found[0];
};
syncBuiltinESMExports();
