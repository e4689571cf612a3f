/** A worker process: the data plane on the listening sockets that the supervisor holds. */
import { readFileSync } from 'node:fs';
import { type OpenedLog, openLog } from '@rollcall/logging';
import { startWorker, type Worker } from '@rollcall/proxy';
import { machineMs } from '../up/machine-clock.ts';
import type { WorkerProcessOptions } from '../up/process-options.ts';
import { yieldToServing } from './one-cpu.ts';
import type { Parent, Start } from './parent.ts';

/** Requests in flight get this long when the worker has to end. */
const CLOSE_GRACE_MS = 10_000;
/** A connection that was handed over longer ago goes to another worker, milliseconds. */
const STALE_MS = 1_000;

export async function run(parent: Parent): Promise<void> {
  yieldToServing();
  const start = await parent.options<WorkerProcessOptions>();
  const { options } = start;
  const opened = openLog(options.name, options.logLevel);
  try {
    const worker = await startFrom(start, opened);
    parent.onTold((message, socket) => {
      if (message.type === 'connection') {
        // This process was stopped or blocked with it on its way: the supervisor may have given it to another since.
        const isStale = machineMs() - (message.sentMs ?? machineMs()) > STALE_MS;
        parent.tell({ type: isStale ? 'declined' : 'taken', number: message.number });
        // It may have ended on its way here.
        if (isStale) socket?.destroy();
        else if (socket !== undefined) worker.accept(Object.assign(socket, { allowHalfOpen: true }), message.isTls);
      } else if (message.type === 'reopen-log') worker.reopenLog();
      else if (message.type === 'retire') parent.endInOrder(() => worker.close(message.graceMs, true));
    });
    parent.serves(() => worker.close(CLOSE_GRACE_MS));
  } catch (error) {
    opened.log.error({ err: error }, 'the worker does not start');
    parent.failed((error as Error).message);
  }
}

function startFrom(
  { options, handles, isAgain }: Start<WorkerProcessOptions>,
  { log, lost }: OpenedLog,
): Promise<Worker> {
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
    feed: {
      url: options.feedUrl,
      token: options.feedToken,
      ...(options.feedCertificateFiles === undefined ? {} : { certificateFiles: options.feedCertificateFiles }),
    },
    snapshotFile: options.snapshotFile,
    ownListeners: options.ownListeners ?? [],
    limits: options.limits,
    trustedProxies: options.trustedProxies,
    excludedPaths: options.excludedPaths,
    nodeTls: options.nodeTls,
    algorithmFiles: options.algorithmFiles,
    errorPages: new Map(Object.entries(errorPages).map(([status, file]) => [Number(status), readFileSync(file)])),
    // One that takes the place of another serves without its log rather than not at all.
    ...(accessLog === undefined ? {} : { accessLog: { ...accessLog, isOptional: isAgain } }),
    ...(healthPath === undefined ? {} : { healthPath }),
    ...(stickySecretFile === undefined ? {} : { stickySecretFile }),
    unavailableHint: options.unavailableHint,
    // Clients wait for one that takes the place of another that died.
    warmsUp: !isAgain,
    log,
    lostLogLines: lost,
  });
}
