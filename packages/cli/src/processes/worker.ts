/** A worker process: the data plane on the listening socket that the supervisor holds. */
import { startWorker } from '@rollcall/proxy';
import { pino } from 'pino';
import type { WorkerProcessOptions } from '../up/process-options.ts';
import { onParentEnd, receiveOptions, tellParent } from './parent.ts';

/** Requests in flight get this long when the worker has to end. */
const CLOSE_GRACE_MS = 10_000;

const { options, handle } = await receiveOptions<WorkerProcessOptions>();
const log = pino({ name: options.name, level: options.logLevel }, pino.destination({ dest: 2, sync: false }));
try {
  const worker = await startWorker({
    name: options.name,
    version: options.version,
    listen: { handle },
    feed: { url: options.feedUrl, token: options.feedToken },
    snapshotFile: options.snapshotFile,
    limits: {
      ...(options.headerTimeoutMs === undefined ? {} : { headerTimeoutMs: options.headerTimeoutMs }),
      ...(options.bodyTimeoutMs === undefined ? {} : { bodyTimeoutMs: options.bodyTimeoutMs }),
      ...(options.upstreamTimeoutMs === undefined ? {} : { upstreamTimeoutMs: options.upstreamTimeoutMs }),
    },
    trustedProxies: options.trustedProxies,
    excludedPaths: options.excludedPaths,
    ...(options.healthPath === undefined ? {} : { healthPath: options.healthPath }),
    ...(options.stickySecretFile === undefined ? {} : { stickySecretFile: options.stickySecretFile }),
    unavailableHint: options.unavailableHint,
    log,
  });
  onParentEnd(() => worker.close(CLOSE_GRACE_MS));
  tellParent({ type: 'ready' });
} catch (error) {
  tellParent({ type: 'failed', message: (error as Error).message });
  log.error({ err: error }, 'the worker does not start');
  process.exitCode = 1;
  process.disconnect?.();
}
