/** The control process: one coordinator. */
import { openStore, startCoordinator } from '@rollcall/coordinator';
import { dashboardAssets } from '@rollcall/dashboard';
import { pino } from 'pino';
import type { ControlOptions } from '../up/process-options.ts';
import { yieldToServing } from './one-cpu.ts';
import { onParentEnd, onTold, receiveOptions, tellParent, tellReady } from './parent.ts';

yieldToServing();
const { options } = await receiveOptions<ControlOptions>();
const { store: storeSpec, logLevel, ...rest } = options;
const log = pino({ name: 'control', level: logLevel }, pino.destination({ dest: 2, sync: false }));
try {
  const store = await openStore(storeSpec, (message) => log.warn(message));
  if (store === undefined) throw new Error(`--store ${storeSpec} is not memory, file:PATH or redis://…`);
  const coordinator = await startCoordinator({ ...rest, store, assets: dashboardAssets(), reload, log });
  onParentEnd(() => coordinator.close());
  tellReady({ loginUrl: coordinator.loginLink() });
} catch (error) {
  tellParent({ type: 'failed', message: (error as Error).message });
  log.error({ err: error }, 'the coordinator does not start');
  process.exitCode = 1;
  process.disconnect?.();
}

/** Asks the supervisor, which answers once new workers serve, or cannot. */
function reload(): Promise<string> {
  return new Promise((resolve, reject) => {
    onTold((told, _, forget) => {
      if (told.type !== 'reloaded') return;
      forget();
      if (told.error === undefined) resolve(told.message);
      else reject(new Error(told.error));
    });
    tellParent({ type: 'reload' });
  });
}
