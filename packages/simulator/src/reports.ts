/** Load that nodes report: in fields of answers, and in separate reports that may be lost. */
import type { NodeReport, Rng } from '@rollcall/core';
import type { Surroundings } from './happenings.ts';
import type { Job, SimNode } from './sim-node.ts';
import type { SimProxy } from './sim-proxy.ts';

/** Weight of the newest interval in the utilisation that a node reports. */
const UTILISATION_ALPHA = 0.5;

/** The load field of an answer without one. */
export const TOLD_NOTHING: undefined = undefined;

/** The load field of an answer whose request took the node `busyMs`. */
export function toldBesideAnswer<J extends Job>(node: SimNode<J>, busyMs: number): NodeReport {
  return {
    // Includes this request, as in the agent.
    inFlight: node.inFlight + 1,
    serviceMs: busyMs,
    load: node.utilisation,
    sessions: node.sessions,
    isBesideAnswer: true,
  };
}

/** Plans the reports: every node reports to all proxies with its own phase. Copies are lost independently. */
export function planReports<J extends Job>(
  { heap, now, nodes, scenario }: Surroundings<J>,
  proxies: readonly SimProxy[],
  chance: { readonly phase: Rng; readonly loss: Rng },
): void {
  const { reportMs, warmupMs, durationMs, lostReports = 0, tells = 'beside-answers' } = scenario;
  const endMs = warmupMs + durationMs;
  const begun = new Set<SimNode<J>>();
  const begin = (node: SimNode<J>): void => {
    begun.add(node);
    const report = (): void => {
      if (node.isGone) return;
      const busy = Math.min(1, node.takeBusyMs() / reportMs);
      node.utilisation += UTILISATION_ALPHA * (busy - node.utilisation);
      const reported: NodeReport = {
        inFlight: node.inFlight,
        serviceMs: node.serviceMs,
        load: node.utilisation,
        sessions: node.sessions,
        isBesideAnswer: false,
      };
      for (const proxy of proxies) {
        if (tells === 'nothing' || (lostReports > 0 && chance.loss() < lostReports)) continue;
        const candidate = proxy.members.get(node.index);
        if (candidate) proxy.report(candidate, reported);
      }
      if (now() + reportMs < endMs) heap.plan(now() + reportMs, report);
    };
    heap.plan(now() + chance.phase() * reportMs, report);
  };
  // Nodes that join later begin at the next check.
  const look = (): void => {
    for (const node of nodes) if (!begun.has(node) && !node.isGone) begin(node);
    if (now() + reportMs < endMs) heap.plan(now() + reportMs, look);
  };
  look();
}
