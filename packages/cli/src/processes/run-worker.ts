/** A worker process: the data plane on the listening sockets that the supervisor holds. */
import { readFileSync } from 'node:fs';
import { type OpenedLog, openLog } from '@rollcall/logging';
import { type CertificatesReport, startWorker, type Worker } from '@rollcall/proxy';
import { machineMs } from '../up/machine-clock.ts';
import type { WorkerProcessOptions } from '../up/process-options.ts';
import { yieldToServing } from './one-cpu.ts';
import type { Parent, Start } from './parent.ts';

/** Time for requests in flight at the end of the worker. */
const CLOSE_GRACE_MS = 10_000;
/** A connection that was handed over before this time goes to another worker, milliseconds. */
const STALE_MS = 1_000;

export async function run(parent: Parent): Promise<void> {
  yieldToServing();
  const start = await parent.options<WorkerProcessOptions>();
  const { options } = start;
  const opened = openLog(options.name, options.logLevel, options.logFormat);
  try {
    const worker = await startFrom(start, opened, (report) => parent.send({ type: 'certificates', ...report }));
    parent.onMessage((message, socket) => {
      if (message.type === 'connection') {
        // This process was stopped or blocked: the supervisor may have handed the connection to another worker.
        const isStale = machineMs() - (message.sentMs ?? machineMs()) > STALE_MS;
        parent.send({ type: isStale ? 'declined' : 'taken', number: message.number });
        // The connection may have closed before it arrived.
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
  { options, handles, isAgain, certificates: kept }: Start<WorkerProcessOptions>,
  { log, lost }: OpenedLog,
  onReport: (report: CertificatesReport) => void,
): Promise<Worker> {
  const [plain, secure] = handles;
  const { certificates, errorPages, accessLog, healthPath, stickySecretFile, ajpSecretFile } = options;
  return startWorker({
    name: options.name,
    version: options.version,
    ...(plain === undefined ? {} : { listen: { handle: plain } }),
    ...(certificates.length === 0
      ? {}
      : {
          tls: {
            files: certificates,
            kept,
            onReport,
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
    proxyProtocol: options.proxyProtocol ?? [],
    forwardedForm: options.forwardedForm ?? 'x-forwarded',
    addsVia: options.addsVia ?? true,
    makesTraces: options.makesTraces ?? false,
    excludedPaths: options.excludedPaths,
    nodeTls: options.nodeTls,
    algorithmFiles: options.algorithmFiles,
    errorPages: readPages(errorPages, isAgain, log),
    // A replacement for a worker that died serves without its log rather than not at all.
    ...(accessLog === undefined ? {} : { accessLog: { ...accessLog, isOptional: isAgain } }),
    ...(healthPath === undefined ? {} : { healthPath }),
    ...(stickySecretFile === undefined ? {} : { stickySecretFile }),
    ...(ajpSecretFile === undefined ? {} : { ajpSecretFile }),
    // Clients wait for the replacement of a worker that died.
    warmsUp: !isAgain,
    log,
    lostLogLines: lost,
  });
}

/** Reads the error pages. A replacement for a worker that died serves without an unreadable page rather than not at all. */
function readPages(
  files: WorkerProcessOptions['errorPages'],
  isAgain: boolean,
  log: OpenedLog['log'],
): ReadonlyMap<number, Uint8Array> {
  const pages = new Map<number, Uint8Array>();
  for (const [status, file] of Object.entries(files))
    try {
      pages.set(Number(status), readFileSync(file));
    } catch (error) {
      if (!isAgain) throw error;
      log.warn(
        { reason: (error as Error).message },
        `cannot read the error page for ${status}; serving the built-in one`,
      );
    }
  return pages;
}
