/**
 * A program with the SDK in an environment where working directory, host name, /proc, /sys and the logger throw. Arguments:
 * `DIRECTORY console|log`, a directory that it deletes, and the logger. It uses every entry point once. It prints a JSON line
 * for each entry point and each warning.
 */
import fs from 'node:fs';
import { createServer } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';

const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const refuse = (): never => {
  throw new Error('not here');
};

const [directory, logger] = process.argv.slice(2);
process.chdir(directory!);
fs.rmdirSync(directory!);
process.on('uncaughtException', ({ message }) => print({ uncaught: message }));
os.hostname = refuse;
console.warn = refuse;
const files = fs as unknown as Record<string, unknown>;
for (const [name, original] of Object.entries(files)) {
  if (typeof original !== 'function' || !name.endsWith('Sync')) continue;
  files[name] = (...words: unknown[]) =>
    /^\/(proc|sys)\//.test(String(words[0])) ? refuse() : Reflect.apply(original, fs, words);
}
syncBuiltinESMExports();

const { rollcall } = await import('@rollcall/agent');
const server = createServer((_, response) => void response.end('hello'));
const node = rollcall({ balancer: 'shop', ...(logger === 'log' ? { log: refuse } : {}) });
const registered = new Promise<void>((resolve) => node.on('registered', () => resolve()));
node.on('warning', (notice) => print(notice));

const listen = () => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const uses: Readonly<Record<string, () => unknown>> = {
  rollcall: () => rollcall().isEnabled,
  attach: () => node.attach(server) === node,
  on: () => node.on('status', () => {}) === node,
  off: () => node.off('status', () => {}) === node,
  metric: () => node.metric('queue', { capacity: 10 }, refuse) === node,
  isEnabled: () => node.isEnabled,
  listen,
  id: () => node.id,
  route: () => node.route,
  sessionId: () => node.sessionId('s'),
  register: () => node.register() === node,
  ready: () => node.ready(false) === node,
  reported: () => registered,
  isRegistered: () => node.isRegistered,
  status: () => node.status,
  drain: () => node.drain(),
  close: () => node.close(),
};
for (const [entry, use] of Object.entries(uses)) {
  try {
    print({ entry, gave: await use() });
  } catch (error) {
    print({ entry, threw: String(error) });
  }
}
server.close();
