/** Discrete events over core's algorithms. The one front door of the package. */
export { type RunResult, runScenario } from './cluster-run.ts';
export type { Contender, ContenderFactory, World } from './contender.ts';
export type { Scenario } from './scenario.ts';
