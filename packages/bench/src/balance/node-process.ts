/** A process with some nodes of a pass: does what it is told over its channel, and ends with whoever started it. */

import { Lateness } from './lateness.ts';
import type { NodeProcessOrder, NodeProcessReply, SpeedStep } from './messages.ts';
import { VirtualNode } from './virtual-node.ts';

const nodes = new Map<number, VirtualNode>();
const lateness = new Lateness();

process.on('message', (order: NodeProcessOrder) => {
  void obey(order).then((reply) => process.send!(reply));
});
process.on('disconnect', () => process.exit());

async function obey(order: NodeProcessOrder): Promise<NodeProcessReply> {
  switch (order.order) {
    case 'listen': {
      for (const node of order.nodes) nodes.set(node.number, new VirtualNode(node, order.sessionIdleMs));
      return { reply: 'listen', ports: await Promise.all([...nodes.values()].map((node) => node.listen())) };
    }
    case 'register':
      await Promise.all(order.numbers.map((number) => nodes.get(number)!.register(order.coordinator)));
      return { reply: 'register' };
    case 'play': {
      const startMs = order.atUnixMs - performance.timeOrigin;
      for (const node of nodes.values()) node.countBetween(startMs + order.fromMs, startMs + order.toMs);
      play(startMs, order.steps);
      setTimeout(() => lateness.watch(), Math.max(0, startMs + order.fromMs - performance.now()));
      return { reply: 'play' };
    }
    case 'leave':
      await nodes.get(order.number)!.leave();
      return { reply: 'leave' };
    case 'count':
      return {
        reply: 'count',
        counts: [...nodes.values()].map((node) => node.count()),
        lateMs: lateness.percentileMs(0.99),
      };
  }
}

function play(startMs: number, steps: readonly SpeedStep[]): void {
  for (const { atMs, node, factor } of steps)
    setTimeout(() => nodes.get(node)?.setFactor(factor), Math.max(0, startMs + atMs - performance.now()));
}
