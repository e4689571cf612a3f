/** A worker process: the data plane on the listening sockets that the supervisor holds. */
import { readFileSync } from 'node:fs';
import { startWorker, type Worker } from '@rollcall/proxy';
import { pino } from 'pino';
import type { WorkerProcessOptions } from '../up/process-options.ts';
import { yieldToServing } from './one-cpu.ts';
import { onParentEnd, onTold, receiveOptions, tellParent, tellReady } from './parent.ts';

/** Requests in flight get this long when the worker has to end. */
const CLOSE_GRACE_MS = 10_000;

yieldToServing();
const { options, handles, isAgain } = await receiveOptions<WorkerProcessOptions>();
const log = pino({ name: options.name, level: options.logLevel }, pino.destination({ dest: 2, sync: false }));
try {
  const worker = await start();
  onParentEnd(() => worker.close(CLOSE_GRACE_MS));
  onTold((message, socket) => {
    if (message.type === 'connection') {
      tellParent({ type: 'taken', number: message.number });
      // It may have ended on its way here.
      if (socket !== undefined) worker.accept(Object.assign(socket, { allowHalfOpen: true }), message.isTls);
    } else if (message.type === 'reopen-log') worker.reopenLog();
    else if (message.type === 'retire')
      worker.close(message.graceMs, true).then(
        () => process.exit(0),
        () => process.exit(1),
      );
  });
  tellReady();
} catch (error) {
  tellParent({ type: 'failed', message: (error as Error).message });
  log.error({ err: error }, 'the worker does not start');
  process.exitCode = 1;
  process.disconnect?.();
}

function start(): Promise<Worker> {
  const [plain, secure] = handles;
  const { certificates, errorPages, accessLog, healthPath, stickySecretFile } = options;
  return startWorker({
    name: options.name,
    version: options.version,
    ...(plain === undefined ? {} : { listen: { handle: plain } }),
    ...(certificates.length === 0
      ? {}
      : {
          tls: {
            files: certificates,
            ticketKeys: Buffer.from(options.ticketKeys, 'base64'),
            ...(secure === undefined ? {} : { listen: { handle: secure } }),
          },
        }),
    feed: { url: options.feedUrl, token: options.feedToken },
    snapshotFile: options.snapshotFile,
    limits: options.limits,
    trustedProxies: options.trustedProxies,
    excludedPaths: options.excludedPaths,
    nodeTls: options.nodeTls,
    algorithmFiles: options.algorithmFiles,
    errorPages: new Map(Object.entries(errorPages).map(([status, file]) => [Number(status), readFileSync(file)])),
    ...(accessLog === undefined ? {} : { accessLog }),
    ...(healthPath === undefined ? {} : { healthPath }),
    ...(stickySecretFile === undefined ? {} : { stickySecretFile }),
    unavailableHint: options.unavailableHint,
    // Clients wait for one that takes the place of another that died.
    warmsUp: !isAgain,
    log,
  });
}
