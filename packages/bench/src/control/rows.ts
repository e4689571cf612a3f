/** The rows of `npm run bench -- control`. Each row starts its own site and returns figures by name. */
import { BenchError } from '../bench-error.ts';
import type { Workplace } from '../system/workplace.ts';
import type { AgentFleet } from './agent-fleet.ts';
import type { ControlSite } from './control-site.ts';
import { limitToHalf } from './half-core.ts';
import type { Visits } from './visits.ts';

/** Parameters of a row. */
export interface RowParts {
  readonly workplace: Workplace;
  readonly measureMs: number;
  /** Number of agents in the largest rows. */
  readonly agents: number;
  readonly site: () => Promise<ControlSite>;
  /** Prints a line of progress. */
  readonly say: (line: string) => void;
}

/** Figures of one round, by name. */
export type Figures = Readonly<Record<string, number>>;

/** Pause after a start, for garbage collection, milliseconds. */
const SETTLE_MS = 3_000;
const BACK_MS = 180_000;
const LOOK_MS = 50;
const READERS = 20;
const SCRAPES = 10;
const CHANGES = 100;
const CHURN_PER_SECOND = 20;
const CHURN_AGENTS = 1_000;
const LEASE_CHECK_MS = 25_000;

/** Agents at rest: CPU, memory, and the time until all agents that connect at once are up. */
export async function agentsRow(parts: RowParts, count: number): Promise<Figures> {
  const site = await parts.site();
  try {
    const [control, worker] = [await site.pidOf('control'), await site.pidOf('worker')];
    await parts.workplace.sleep(SETTLE_MS);
    const [controlBefore, workerBefore] = [site.memory(control), site.memory(worker)];
    const { seconds } = await site.populate(count);
    await parts.workplace.sleep(SETTLE_MS);
    const [controlCpu, workerCpu] = await Promise.all([
      site.cpuPercent(control, parts.measureMs),
      site.cpuPercent(worker, parts.measureMs),
    ]);
    return {
      upSeconds: seconds,
      controlCpuPercent: controlCpu,
      workerCpuPercent: workerCpu,
      controlKibPerAgent: (site.memory(control) - controlBefore) / count / 1_024,
      workerKibPerNode: (site.memory(worker) - workerBefore) / count / 1_024,
    };
  } finally {
    await site.close();
  }
}

/** The control process is killed: time until all agents are registered again, expired leases, and effects on the site. */
export async function killRow(parts: RowParts): Promise<Figures> {
  const site = await parts.site();
  try {
    const { fleet } = await site.populate(parts.agents);
    await parts.workplace.sleep(SETTLE_MS);
    const before = await site.visited(() => parts.workplace.sleep(parts.measureMs));
    const { result, visits } = await site.visited(() => killAndReturn(parts, site, fleet));
    return { ...result, ...siteFigures(parts, before.visits, visits) };
  } finally {
    await site.close();
  }
}

/** The same with half a core for all processes of Rollcall. */
export async function halfRow(parts: RowParts): Promise<Figures> {
  const site = await parts.site();
  try {
    const { fleet } = await site.populate(parts.agents);
    const half = await limitToHalf(site.up.running.pid, parts.workplace);
    parts.say(`  half a core: ${half.means}`);
    try {
      await parts.workplace.sleep(SETTLE_MS);
      const before = await site.visited(() => parts.workplace.sleep(parts.measureMs));
      const { result, visits } = await site.visited(() => killAndReturn(parts, site, fleet));
      return { ...result, ...siteFigures(parts, before.visits, visits) };
    } finally {
      await half.end();
    }
  } finally {
    await site.close();
  }
}

/** `kill -9` of the control process. Also waits until leases that had not been renewed would have ended. */
async function killAndReturn({ workplace }: RowParts, site: ControlSite, fleet: AgentFleet): Promise<Figures> {
  const control = await site.pidOf('control');
  await fleet.forget();
  const killedAtUnixMs = Date.now();
  process.kill(control, 'SIGKILL');
  const untilMs = performance.now() + BACK_MS;
  let counts = await fleet.counts();
  do {
    await workplace.sleep(LOOK_MS);
    counts = await fleet.counts();
  } while ((counts.registered < counts.agents || counts.registrations < counts.agents) && performance.now() < untilMs);
  if (counts.registered < counts.agents)
    throw new BenchError(`${counts.agents - counts.registered} agents are not back within ${BACK_MS / 1_000} s`);
  const backSeconds = (counts.lastRegisteredAtUnixMs - killedAtUnixMs) / 1_000;
  await workplace.sleep(Math.max(0, LEASE_CHECK_MS - backSeconds * 1_000));
  const { nodes, processes } = await site.status();
  const workers = processes.filter(({ name }) => name.startsWith('worker'));
  return {
    backSeconds,
    expired: nodes.gone,
    attempts: sum(counts.ends) / counts.agents,
    workerRestarts: workers.reduce((total, { restarts }) => total + restarts, 0),
  };
}

function siteFigures({ say }: RowParts, before: Visits, during: Visits): Figures {
  if (sum(during.failures) > 0) say(`  requests that failed: ${JSON.stringify(during.failures)}`);
  return {
    siteP99BeforeMs: before.p99Ms,
    siteP99Ms: during.p99Ms,
    siteMaxMs: during.maxMs,
    siteFailed: sum(during.failures),
  };
}

/** Readers of a page of nodes, and pages of the dashboard, each once a second. */
export async function readersRow(parts: RowParts, count: number): Promise<Figures> {
  const site = await parts.site();
  try {
    const control = await site.pidOf('control');
    await site.populate(count);
    await parts.workplace.sleep(SETTLE_MS);
    const cpu = (): Promise<number> => site.cpuPercent(control, parts.measureMs);
    const restPercent = await cpu();
    const { result: list, visits } = await site.read('/v1/nodes', READERS, cpu);
    const page = await site.read('/v1/nodes?limit=200', READERS, () =>
      site.read('/v1/balancers', READERS, () => site.read('/v1/status', READERS, cpu)),
    );
    return {
      restPercent,
      listPercent: list - restPercent,
      pagePercent: page.result.result.result - restPercent,
      listP99Ms: visits.p99Ms,
      readFailed: sum(visits.failures) + sum(page.visits.failures),
    };
  } finally {
    await site.close();
  }
}

/** How long other requests of the control port wait while it answers `/metrics`. */
export async function metricsRow(parts: RowParts): Promise<Figures> {
  const site = await parts.site();
  try {
    await site.populate(parts.agents);
    await parts.workplace.sleep(SETTLE_MS);
    const rest = await site.read('/livez', 200, () => parts.workplace.sleep(parts.measureMs));
    const scrapes: number[] = [];
    const { visits } = await site.read('/livez', 200, async () => {
      for (let i = 0; i < SCRAPES; i++) {
        const sinceMs = performance.now();
        await site.up.admin.text('/metrics');
        scrapes.push(performance.now() - sinceMs);
        await parts.workplace.sleep(500);
      }
    });
    return {
      scrapeMs: Math.max(...scrapes),
      livezRestP99Ms: rest.visits.p99Ms,
      livezRestMaxMs: rest.visits.maxMs,
      livezP99Ms: visits.p99Ms,
      livezMaxMs: visits.maxMs,
    };
  } finally {
    await site.close();
  }
}

/** From a node's message until the site's worker acts on it. */
export async function changeRow(parts: RowParts): Promise<Figures> {
  const site = await parts.site();
  try {
    await site.populate(parts.agents - 2);
    const two = site.fleet({ balancer: 'change', path: '/change' }, 60_000);
    await two.grow(2);
    await site.untilUp(parts.agents, 30_000);
    await parts.workplace.sleep(SETTLE_MS);
    const latency = await two.change(site.port, CHANGES);
    return {
      changeP50Ms: latency.percentileUs(0.5) / 1_000,
      changeP99Ms: latency.percentileUs(0.99) / 1_000,
      changeMaxMs: latency.maxUs / 1_000,
    };
  } finally {
    await site.close();
  }
}

/** Nodes that come and go, beside no and many nodes that are gone but remembered. */
export async function churnRow(parts: RowParts): Promise<Figures> {
  const site = await parts.site();
  try {
    const control = await site.pidOf('control');
    const { fleet } = await site.populate(Math.min(CHURN_AGENTS, parts.agents));
    await parts.workplace.sleep(SETTLE_MS);
    const churned = async (firstNumber: number): Promise<number> => {
      await fleet.churn(CHURN_PER_SECOND, firstNumber);
      await parts.workplace.sleep(SETTLE_MS);
      const percent = await site.cpuPercent(control, 2 * parts.measureMs);
      await fleet.churn(0, 0);
      return percent;
    };
    const freshPercent = await churned(100_000);
    const others = site.fleet({ balancer: 'site' }, 30_000);
    await others.grow(parts.agents - CHURN_AGENTS);
    await site.untilUp(parts.agents, 120_000);
    await others.leave();
    await parts.workplace.until(
      async () => (await site.status()).nodes.gone >= parts.agents - CHURN_AGENTS,
      site.up.running,
      'nodes that left are not gone',
      60_000,
    );
    await parts.workplace.sleep(SETTLE_MS);
    const gonePercent = await churned(200_000);
    const { nodes } = await site.status();
    return { gone: nodes.gone, freshPercent, gonePercent };
  } finally {
    await site.close();
  }
}

/** Agents of the SDK alone, and among all others. */
export async function sdkRow(parts: RowParts): Promise<Figures> {
  const SDK_AGENTS = 20;
  const measure = async (site: ControlSite): Promise<Figures> => {
    const fleet = site.fleet({ balancer: 'sdk', path: '/sdk', isSdk: true }, 60_000);
    await fleet.grow(SDK_AGENTS);
    await parts.workplace.until(
      async () => (await fleet.counts()).registered === SDK_AGENTS,
      site.up.running,
      'agents of the SDK are not registered',
      30_000,
    );
    await fleet.forget();
    await parts.workplace.sleep(parts.measureMs);
    const lost = sum((await fleet.counts()).ends);
    const { backSeconds, expired } = await killAndReturn(parts, site, fleet);
    return { lost, backSeconds: backSeconds!, expired: expired! };
  };
  const alone = await parts.site();
  let first: Figures;
  try {
    first = await measure(alone);
  } finally {
    await alone.close();
  }
  const site = await parts.site();
  try {
    await site.populate(parts.agents - SDK_AGENTS);
    await parts.workplace.sleep(SETTLE_MS);
    const among = await measure(site);
    return {
      lostAlone: first['lost']!,
      backAloneSeconds: first['backSeconds']!,
      lost: among['lost']!,
      backSeconds: among['backSeconds']!,
      expired: among['expired']!,
    };
  } finally {
    await site.close();
  }
}

/** The sum of all counts. */
export function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
