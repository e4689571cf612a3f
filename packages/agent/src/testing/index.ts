/** What tests of agents need: a coordinator that follows a script, and time that only the test moves. */
export { listening } from './listening.ts';
export { ManualTimers } from './manual-timers.ts';
export { type ScriptedCoordinator, ScriptedPeer, startScriptedCoordinator } from './scripted-coordinator.ts';
