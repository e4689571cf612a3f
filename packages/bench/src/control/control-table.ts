/** The figures of `npm run bench -- control` in tables: what was measured, and the goal where there is one. */
import { figure } from '../output/figures.ts';
import type { Table } from '../output/table.ts';
import type { RowResult } from './control.ts';

/** A goal that a figure is compared with. */
interface Line {
  readonly name: string;
  readonly title: string;
  readonly decimals: number;
  /** Largest value that is wanted, 10,000 agents on an undisturbed machine. */
  readonly goal?: number;
}

const LINES: Readonly<Record<string, readonly Line[]>> = {
  kill: [
    { name: 'backSeconds', title: 'control killed: all back after, s', decimals: 1, goal: 10 },
    { name: 'expired', title: 'leases expired', decimals: 0, goal: 0 },
    { name: 'attempts', title: 'attempts per agent', decimals: 1 },
    { name: 'siteP99BeforeMs', title: 'site p99 before, ms', decimals: 1 },
    { name: 'siteP99Ms', title: 'site p99 after it, ms', decimals: 1 },
    { name: 'siteMaxMs', title: 'site longest, ms', decimals: 1 },
    { name: 'siteFailed', title: 'requests failed', decimals: 0, goal: 0 },
    { name: 'workerRestarts', title: 'workers started again', decimals: 0, goal: 0 },
  ],
  readers: [
    { name: 'restPercent', title: 'control CPU without readers, %', decimals: 1 },
    { name: 'listPercent', title: '20 readers of a page of nodes, %', decimals: 1, goal: 10 },
    { name: 'pagePercent', title: '20 balancer-manager pages, %', decimals: 1, goal: 10 },
    { name: 'listP99Ms', title: 'page of nodes p99, ms', decimals: 1 },
    { name: 'readFailed', title: 'reads failed', decimals: 0, goal: 0 },
  ],
  metrics: [
    { name: 'scrapeMs', title: '/metrics, longest of ten, ms', decimals: 0 },
    { name: 'livezRestP99Ms', title: '/livez p99 at rest, ms', decimals: 1 },
    { name: 'livezRestMaxMs', title: '/livez longest at rest, ms', decimals: 1 },
    { name: 'livezP99Ms', title: '/livez p99 during scrapes, ms', decimals: 1 },
    { name: 'livezMaxMs', title: '/livez longest during scrapes, ms', decimals: 1, goal: 50 },
  ],
  change: [
    { name: 'changeP50Ms', title: 'change until a worker acts, p50 ms', decimals: 1 },
    { name: 'changeP99Ms', title: 'change until a worker acts, p99 ms', decimals: 1, goal: 100 },
    { name: 'changeMaxMs', title: 'longest, ms', decimals: 1 },
  ],
  churn: [
    { name: 'gone', title: 'nodes gone and remembered', decimals: 0 },
    { name: 'freshPercent', title: 'CPU at 20 nodes a second, none gone, %', decimals: 1 },
    { name: 'gonePercent', title: 'CPU with so many gone, %', decimals: 1 },
  ],
  sdk: [
    { name: 'lostAlone', title: '20 SDK agents alone: lost connections', decimals: 0, goal: 0 },
    { name: 'backAloneSeconds', title: 'alone: back after a kill, s', decimals: 1 },
    { name: 'lost', title: 'among all: lost connections', decimals: 0, goal: 0 },
    { name: 'backSeconds', title: 'among all: back after a kill, s', decimals: 1, goal: 10 },
    { name: 'expired', title: 'leases expired', decimals: 0, goal: 0 },
  ],
  mcmp: [
    { name: 'firstMs', title: 'registration until a request, ms', decimals: 0, goal: 100 },
    { name: 'drainFailed', title: 'drain: requests failed', decimals: 0, goal: 0 },
    { name: 'redeployFailed', title: 'redeploy: requests failed', decimals: 0, goal: 0 },
    { name: 'failoverFailed', title: 'killed: requests failed', decimals: 0, goal: 0 },
    { name: 'failoverMaxMs', title: 'killed: longest request, ms', decimals: 0 },
    { name: 'registeredSeconds', title: 'all at once, own addresses: up after, s', decimals: 1, goal: 5 },
    { name: 'registeredFailed', title: 'requests of others that failed', decimals: 0, goal: 0 },
    { name: 'sameAddressSeconds', title: 'all at once, one address: up after, s', decimals: 1 },
    { name: 'sameAddressFailed', title: 'requests of others that failed', decimals: 0, goal: 0 },
  ],
};

const TITLES: Readonly<Record<string, string>> = {
  kill: 'Control process killed',
  half: 'Control process killed, half a core for the whole product',
  readers: 'Readers, each once a second',
  metrics: 'A scrape of /metrics',
  change: 'A change of one node',
  churn: 'Nodes that come and go',
  sdk: 'Agents of the SDK',
  mcmp: 'Nodes of mod_cluster',
};

export function controlTables(results: readonly RowResult[]): readonly Table[] {
  const sizes = results.filter(({ row }) => row === 'agents');
  const tables: Table[] = sizes.length === 0 ? [] : [agentsTable(sizes)];
  for (const result of results) {
    const lines = LINES[result.row === 'half' ? 'kill' : result.row];
    if (lines !== undefined) tables.push(rowTable(result, lines));
  }
  return tables;
}

function agentsTable(results: readonly RowResult[]): Table {
  return {
    title: 'Agents at 1 Hz',
    columns: ['agents', 'control CPU, %', 'worker CPU, %', 'control KiB each', 'worker KiB each', 'all up after, s'],
    rows: results.map(({ agents, medians }) => [
      String(agents),
      figure(medians['controlCpuPercent'], 1),
      figure(medians['workerCpuPercent'], 1),
      figure(medians['controlKibPerAgent'], 1),
      figure(medians['workerKibPerNode'], 1),
      figure(medians['upSeconds'], 1),
    ]),
    notes: ['Goals: at 1,000 agents 5 % of a core; at 10,000 agents 40 % and 30 KiB each, worker 6 KiB each.'],
  };
}

function rowTable({ row, agents, medians }: RowResult, lines: readonly Line[]): Table {
  const isHalf = row === 'half';
  return {
    title: `${TITLES[row]}, ${agents} agents`,
    columns: ['', 'measured', 'goal'],
    rows: lines.map(({ name, title, decimals, goal }) => [
      title,
      figure(medians[name], decimals),
      isHalf && name === 'backSeconds' ? '' : goal === undefined ? '' : `≤ ${goal}`,
    ]),
    notes: isHalf ? ['Goal: site p99 at most twice what it was before.'] : [],
  };
}
