/** Plays cases on several lanes side by side and judges them. */
import { playRequest, playResponse } from './case-run.ts';
import type { HttpCase } from './http-case.ts';
import type { ProxyLane } from './lanes.ts';
import { type CaseNode, RecordingNode } from './recording-node.ts';
import { choiceOfRequest, judgeRequest } from './request-judgement.ts';
import { choiceOfResponse, judgeResponse } from './response-judgement.ts';
import type { Verdict } from './scores.ts';

/** Cases that run at the same time; most of them wait for a time limit. */
const LANES = 16;

/** Returns the verdict of each case, by id. `open` puts a proxy in front of a node. */
export async function playCases(
  cases: readonly HttpCase[],
  open: (nodePort: number) => Promise<ProxyLane>,
  lanes = LANES,
  startNode: () => Promise<CaseNode> = RecordingNode.start,
): Promise<Map<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  // The slow ones first, so that no lane is left alone with them.
  const queue = [...cases].sort((a, b) => Number(b.isTimed) - Number(a.isTimed));
  const playLane = async (): Promise<void> => {
    const node = await startNode();
    const lane = await open(node.port);
    for (let one = queue.shift(); one; one = queue.shift()) verdicts.set(one.id, await playCase(one, node, lane.port));
    await lane.close();
    await node.close();
  };
  await Promise.all(Array.from({ length: lanes }, playLane));
  return verdicts;
}

async function playCase(one: HttpCase, node: CaseNode, port: number): Promise<Verdict> {
  if (one.kind === 'request') {
    const seen = await playRequest(one, node, port);
    return { fails: judgeRequest(one, seen), choice: choiceOfRequest(seen) };
  }
  const seen = await playResponse(one, node, port);
  return { fails: judgeResponse(one, seen), choice: choiceOfResponse(seen) };
}
