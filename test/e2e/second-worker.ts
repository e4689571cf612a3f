/** A proxy worker as a process of its own, beside the one of `up`: argv is `{ feedUrl, token, name }`. Prints its port. */
import { startWorker } from '@rollcall/proxy';

const { feedUrl, token, name } = JSON.parse(process.argv[2] ?? '{}') as Record<'feedUrl' | 'token' | 'name', string>;
const silent = (): void => {};
const worker = await startWorker({
  name,
  version: '0.0.0-test',
  listen: { host: '127.0.0.1', port: 0 },
  feed: { url: feedUrl, token },
  log: { debug: silent, info: silent, warn: silent },
});
process.stdout.write(`${JSON.stringify({ port: worker.address!.port })}\n`);
process.on('disconnect', () => process.exit(0));
