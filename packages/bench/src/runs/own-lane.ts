/** Runs Rollcall with access to its control port. */
import { type RollcallOptions, rollcall, startUp, type Up } from '../contenders/rollcall.ts';
import type { SiteNodes } from '../nodes/site-nodes.ts';
import { type LaneParts, withContender } from './lane.ts';
import type { Scenario } from './scenario.ts';

/** Starts Rollcall with `options`, calls `use` when it answers, and always ends it. */
export async function withUp<Result>(
  parts: LaneParts,
  options: RollcallOptions,
  scenario: Scenario,
  nodes: SiteNodes,
  use: (up: Up, port: number) => Promise<Result>,
): Promise<Result> {
  let up: Up | undefined;
  const contender = {
    ...rollcall(options),
    start: async (request: Parameters<typeof startUp>[1]) => {
      up = await startUp(options, request);
      return up.running;
    },
  };
  return withContender(parts, contender, scenario, nodes, (_running, port) => use(up!, port));
}
