/** Discrete-event simulation of core's algorithms. The only entry point of the package. */
export { builtInNames, builtInScenario, readScenarioFile } from './built-in-scenarios.ts';
export { type OnProgress, runScenario } from './cluster-run.ts';
export { type ComparisonProgress, type ContenderRow, compare, figuresOf, type Outcome } from './comparison.ts';
export type { Contender, Rule, RuleOptions, World } from './contender.ts';
export { CONTENDER_NAMES, contenderOf, usualContenders } from './contenders.ts';
export type { JoinResult, RunResult } from './measures.ts';
export { type Overrides, withOverrides } from './overrides.ts';
export type { Scenario } from './scenario.ts';
export { parseScenario, ScenarioProblem } from './scenario-file.ts';
