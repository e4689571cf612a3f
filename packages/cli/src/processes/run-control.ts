/** The control process: one coordinator. */

import { join } from 'node:path';
import { openFileStore, openSharedStore, openStore, startCoordinator } from '@rollcall/coordinator';
import { dashboardAssets } from '@rollcall/dashboard';
import { openLog } from '@rollcall/logging';
import { printableUrl } from '@rollcall/protocol';
import { isRedisAddress, parseRedisAddress } from '@rollcall/store-redis';
import type { ListenAddress } from '../address.ts';
import { dropControlCertificate } from '../control-certificate.ts';
import type { ControlOptions } from '../up/process-options.ts';
import { within } from '../up/within.ts';
import { openControlTls } from './control-tls.ts';
import { yieldToServing } from './one-cpu.ts';
import type { Parent } from './parent.ts';

/** The supervisor answers at once; a supervisor of an earlier release does not answer. Milliseconds. */
const ROTATE_MS = 5_000;

export async function run(parent: Parent): Promise<void> {
  yieldToServing();
  const { options, certificates: kept, isAgain } = await parent.options<ControlOptions>();
  const { store: storeSpec, storeCa, clusterName, logLevel, logFormat, controlTls, ...rest } = options;
  const { log, lost } = openLog('control', logLevel, logFormat);
  try {
    const onProblem = (message: string): void => log.warn(message);
    const shared = await openSharedStore(storeSpec, { clusterName, ca: storeCa, onProblem });
    const store = await openStore(shared ? `file:${join(rest.stateDir, 'cluster.json')}` : storeSpec, onProblem);
    if (store === undefined)
      throw new Error(`--store ${printableUrl(storeSpec)} is not memory, file:PATH or redis://…`);
    const sharing = shared && {
      store: shared,
      file: await openFileStore({ path: join(rest.stateDir, 'shared.json'), onProblem }),
      refusesStart: !isAgain,
    };
    if (controlTls === undefined) dropControlCertificate(options.stateDir);
    const opened =
      controlTls &&
      (await openControlTls({
        files: controlTls,
        stateDir: options.stateDir,
        kept,
        // The coordinator itself has the end and the problem of its certificate.
        onReport: (report) => parent.send({ type: 'certificates', inUse: [], kept: report.kept }),
        log,
      }));
    const coordinator = await startCoordinator({
      ...rest,
      ...(opened && { tls: opened.tls }),
      store,
      ...(sharing && { sharing }),
      ownListeners: [...rest.ownListeners, ...redisOf(storeSpec)],
      assets: dashboardAssets(),
      reload: () => requestFromSupervisor(parent, 'reload', 'reloaded'),
      rotate: () =>
        within(
          requestFromSupervisor(parent, 'rotate', 'rotated'),
          ROTATE_MS,
          'the supervisor does not open logs again',
        ),
      log,
      lostLogLines: lost,
    });
    parent.onMessage((message) => {
      if (message.type === 'read-certificates') opened?.readAgain();
      if (message.type !== 'processes') return;
      coordinator.reportProcesses(message.processes, message.replaced);
      parent.send({ type: 'noted', number: message.replaced.at(-1)?.number ?? 0 });
    });
    parent.serves(() => coordinator.close({ isLost: !process.connected }), {
      loginUrl: coordinator.loginLink(),
      warnings: coordinator.warnings,
    });
  } catch (error) {
    log.error({ err: error }, 'the coordinator does not start');
    parent.failed((error as Error).message);
  }
}

/** Addresses of Redis, or of its Sentinels: no node may have one. */
function redisOf(storeSpec: string): readonly ListenAddress[] {
  return isRedisAddress(storeSpec) ? parseRedisAddress(storeSpec).hosts : [];
}

let requests = 0;

/** Sends a request to the supervisor, which answers after success or failure. */
function requestFromSupervisor(
  parent: Parent,
  type: 'reload' | 'rotate',
  answer: 'reloaded' | 'rotated',
): Promise<string> {
  const id = ++requests;
  return new Promise((resolve, reject) => {
    const stop = parent.onMessage((message) => {
      if (message.type !== answer) return;
      // A supervisor of an earlier release repeats no number.
      if (message.type === 'reloaded' && (message.id ?? id) !== id) return;
      stop();
      if (message.error === undefined) resolve(message.message);
      else reject(new Error(message.error));
    });
    parent.send(type === 'reload' ? { type, id } : { type });
  });
}
