/** The process of the clients of a pass: does what it is told over its channel, and ends with whoever started it. */
import type { VisitOrder, VisitReply } from './messages.ts';
import { Visits } from './visits.ts';

let visits: Visits | undefined;

process.on('message', (order: VisitOrder) => {
  void obey(order).then((reply) => process.send!(reply));
});
process.on('disconnect', () => process.exit());

async function obey(order: VisitOrder): Promise<VisitReply> {
  if (order.order === 'visit') return { reply: 'visit', report: await visits!.run(order.atUnixMs) };
  visits = new Visits(order.plan);
  return { reply: 'plan' };
}
