/** Helpers for tests of agents: a coordinator and a clock that are controlled by the test. */
export { listening } from './listening.ts';
export { ManualTimers } from './manual-timers.ts';
export { type ScriptedCoordinator, ScriptedPeer, startScriptedCoordinator } from './scripted-coordinator.ts';
