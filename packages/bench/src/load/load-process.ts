/** A process of the load generator. It executes orders from its channel and ends with its parent process. */
import { LoadRun } from './load-run.ts';
import type { LoadOrder, LoadReply } from './messages.ts';

let run: LoadRun | undefined;

process.on('message', (order: LoadOrder) => {
  void obey(order).then((reply) => process.send!(reply));
});
process.on('disconnect', () => process.exit());

async function obey(order: LoadOrder): Promise<LoadReply> {
  switch (order.order) {
    case 'start':
      run = new LoadRun(order.plan);
      await run.start();
      break;
    case 'count':
      run!.count();
      break;
    case 'report':
      return { reply: 'report', report: await run!.report() };
    case 'stop':
      run?.stop();
      run = undefined;
  }
  return { reply: order.order };
}
