import type { NodeCounters } from '@rollcall/feed';
import type { NodeId } from '@rollcall/protocol';
import { type AnswerTotals, addAnswers, increase, noAnswers } from './answer-totals.ts';
import { ReportedTotals } from './reported-totals.ts';

/** Counts of one node that only grow while the coordinator knows the node. */
export interface NodeTotals {
  requests: number;
  failures: number;
  serverErrors: number;
  newSessions: number;
  bytesToNode: number;
  bytesFromNode: number;
  readonly answers: AnswerTotals;
}

export function noNodeTotals(): NodeTotals {
  return {
    requests: 0,
    failures: 0,
    serverErrors: 0,
    newSessions: 0,
    bytesToNode: 0,
    bytesFromNode: 0,
    answers: noAnswers(),
  };
}

/** Sums over all workers by node. The caller leaves out unknown nodes and forgets the same nodes as its own lists. */
export function nodeTotals(maxWorkers: number): ReportedTotals<NodeId, NodeCounters, NodeTotals> {
  return new ReportedTotals(
    {
      key: ({ id }) => id,
      zero: noNodeTotals,
      hasFallen: (report, before) => report.requests < before.requests,
      add(sum, report, before) {
        sum.requests += increase(report.requests, before?.requests);
        sum.failures += increase(report.failures, before?.failures);
        sum.serverErrors += increase(report.serverErrors, before?.serverErrors);
        sum.newSessions += increase(report.newSessions, before?.newSessions);
        sum.bytesToNode += increase(report.bytesToNode, before?.bytesToNode);
        sum.bytesFromNode += increase(report.bytesFromNode, before?.bytesFromNode);
        if (report.answers !== undefined) addAnswers(sum.answers, report.answers, before?.answers);
      },
    },
    { maxWorkers, maxRows: Number.POSITIVE_INFINITY },
  );
}
