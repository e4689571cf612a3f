/** Commands of operators. Their requested statuses survive reconnects and restarts of a node, and its absence while it is remembered. */

import { type BalancerName, limitsFault, MAX_LIMIT_PATHS, tooManyPaths } from '@rollcall/protocol';
import { endedOf } from '../replication/node-merge.ts';
import { BalancerSettings, limitPathCount, patchedSettings, patchForAll } from './balancer-settings.ts';
import type {
  AcknowledgeCommand,
  BalancerSettingsCommand,
  OperatorStatusCommand,
  PatchNodeCommand,
  RemoveCommand,
  Target,
} from './commands.ts';
import { endContextRequests } from './context-requests.ts';
import { keepOneLess } from './copies.ts';
import type { Event, Rejection } from './events.ts';
import type { NodeRecord, Overrides, RequestedStatus } from './node/node-record.ts';
import { effectiveStatus, isMissing, NO_OVERRIDES, noRequestedStatus } from './node/node-record.ts';
import { weightFault } from './node/weight.ts';
import { type RegistryState, rejected } from './registry-state.ts';
import { changesText } from './settings-changes.ts';
import type { ContextChoice } from './views/remembered-contexts.ts';
import { abandonedContexts } from './views/unserved-contexts.ts';

export function operatorStatus(state: RegistryState, command: OperatorStatusCommand): Rejection | undefined {
  for (const name of ['deadlineMs', 'forMs'] as const) {
    const durationMs = command[name];
    if (durationMs !== undefined && durationMs !== null && !(durationMs >= 0 && Number.isFinite(durationMs)))
      return rejected('bad-field', `${name} is ${durationMs}, not a duration`);
    if (durationMs !== undefined && command.status === 'enabled')
      return rejected('bad-field', `${name} limits a drain or stop; enable has no limit`);
  }
  const nodes = targets(state, command.target);
  if (nodes.length === 0) return rejected('not-found', `there is no ${describe(command.target)}`);
  // A drain of a balancer concerns its present nodes. Enabling it also concerns remembered ones, so that none comes back drained.
  const isOne = command.target.type === 'node';
  for (const node of nodes)
    if (isOne || command.status === 'enabled' || node.liveness !== 'gone') {
      requestStatus(state, node, command);
      if (command.status === 'enabled') endContextRequests(state, node, command.by);
    }
  return undefined;
}

function targets(state: RegistryState, target: Target): NodeRecord[] {
  switch (target.type) {
    case 'node': {
      const node = state.nodes.get(target.id);
      return node ? [node] : [];
    }
    case 'balancer':
      return [...state.nodes.inBalancer(target.name)];
    case 'group':
      return [...state.nodes.all()].filter((node) => node.registration.group === target.name);
    case 'nodes':
      return target.ids.map((id) => state.nodes.get(id)).filter((node) => node !== undefined);
  }
}

function describe(target: Target): string {
  if (target.type === 'nodes') return 'node of the selector';
  return target.type === 'node' ? `node ${target.id}` : `node in ${target.type} ${target.name}`;
}

function requestStatus(state: RegistryState, node: NodeRecord, command: OperatorStatusCommand): void {
  const { nowMs } = state;
  const earlier = node.operatorStatus;
  const isRepeat = earlier.status === command.status;
  if (isRepeat && command.status === 'enabled') return;
  const { status, by, reason, deadlineMs, forMs } = command;
  // A repeat without another reason changes the limits of the earlier request, which stays: by whom, why and since when.
  const isSame = isRepeat && (reason === undefined || reason === earlier.reason);
  const kept = (limitMs: number | undefined): number | undefined =>
    isSame && limitMs !== undefined && limitMs > nowMs ? limitMs : undefined;
  const next: RequestedStatus = {
    ...(isSame ? earlier : { status, reason, by, atMs: nowMs }),
    // A limit that has passed has ended the earlier drain: this one begins without it.
    deadlineAtMs: deadlineMs === null ? undefined : (instant(nowMs, deadlineMs) ?? kept(earlier.deadlineAtMs)),
    untilMs: instant(nowMs, forMs) ?? kept(earlier.untilMs),
  };
  if (isSame && next.deadlineAtMs === earlier.deadlineAtMs && next.untilMs === earlier.untilMs) return;
  const request = { by, ...(reason !== undefined && { reason }) };
  // Enabled nodes have no limits.
  if (status === 'enabled') applyOperatorStatus(state, node, noRequestedStatus(nowMs), request);
  else
    applyOperatorStatus(state, node, next, {
      ...request,
      ...(deadlineMs !== undefined && { deadlineMs }),
      ...(forMs !== undefined && { forMs }),
    });
}

type StatusEvent = Extract<Event, { type: 'status' }>;

/** Applies an operator's requested status. `cause`: the request, or the end of an earlier one, as it was made. */
export function applyOperatorStatus(
  state: RegistryState,
  node: NodeRecord,
  next: RequestedStatus,
  cause: Pick<StatusEvent, 'by' | 'reason' | 'deadlineMs' | 'forMs' | 'ended'>,
): void {
  const isRepeat = next.status === node.operatorStatus.status;
  const isSameForWorkers = isRepeat && next.deadlineAtMs === node.operatorStatus.deadlineAtMs;
  const before = effectiveStatus(node);
  node.operatorStatus = next;
  state.afterStop(node, before);
  if (!isSameForWorkers) state.touchFeed(node);
  if (next.status === 'enabled') {
    node.operatorDrain = undefined;
    if (node.nodeDrain?.isDone ?? true) state.draining.delete(node);
  } else if (!isRepeat && node.liveness !== 'gone') {
    state.beginOperatorDrain(node);
  } else if (node.operatorDrain) {
    state.changeDrainDeadline(node, node.operatorDrain, next.deadlineAtMs);
  }
  state.touchOverrideRecord(node);
  state.schedule(node);
  state.emit({
    type: 'status',
    id: node.id,
    side: 'operator',
    status: next.status,
    effective: effectiveStatus(node),
    ...cause,
  });
}

function instant(nowMs: number, durationMs: number | undefined): number | undefined {
  return durationMs === undefined ? undefined : nowMs + durationMs;
}

export function patchNode(state: RegistryState, command: PatchNodeCommand): Rejection | undefined {
  const node = state.nodes.get(command.id);
  if (!node) return rejected('not-found', `there is no node ${command.id}`);
  const { weight, redirectTo } = command;
  const heavy = weight === undefined || weight === null ? undefined : weightFault(weight);
  if (heavy !== undefined) return rejected(heavy.code, heavy.message);
  if (redirectTo !== undefined && redirectTo !== null) {
    const target = state.nodes.get(redirectTo);
    if (!target) return rejected('not-found', `there is no node ${redirectTo}`);
    if (target === node) return rejected('conflict', `node ${node.id} cannot be redirected to itself`);
    if (target.registration.balancer !== node.registration.balancer)
      return rejected('conflict', `node ${redirectTo} is not in balancer ${node.registration.balancer}`);
    if (leadsTo(state, target, node))
      return rejected(
        'conflict',
        `redirects of node ${redirectTo} lead to node ${node.id}: sessions would go in a circle`,
      );
  }
  applyOverrides(state, node, patched(node.overrides, command), command.by);
  return undefined;
}

/** Sets the overrides of a node; no effect if they are the same. */
export function applyOverrides(state: RegistryState, node: NodeRecord, next: Overrides, by: string): void {
  const what = differences(node.overrides, next);
  if (what.length === 0) return;
  node.overrides = next;
  state.touchFeed(node);
  state.touchOverrideRecord(node);
  state.emit({ type: 'patched', id: node.id, by, what: what.join(', ') });
}

/** Whether redirects lead from `start` to `end`, directly or over other nodes. */
function leadsTo(state: RegistryState, start: NodeRecord, end: NodeRecord): boolean {
  const passed = new Set<NodeRecord>();
  let at: NodeRecord | undefined = start;
  while (at !== undefined && at !== end && !passed.has(at)) {
    passed.add(at);
    const next: NodeRecord['overrides']['redirectTo'] = at.overrides.redirectTo;
    at = next === undefined ? undefined : state.nodes.get(next);
  }
  return at === end;
}

function patched(overrides: Overrides, { weight, standby, redirectTo }: PatchNodeCommand): Overrides {
  return {
    weight: weight === undefined ? overrides.weight : (weight ?? undefined),
    standby: standby === undefined ? overrides.standby : (standby ?? undefined),
    redirectTo: redirectTo === undefined ? overrides.redirectTo : (redirectTo ?? undefined),
  };
}

function differences(before: Overrides, after: Overrides): string[] {
  const what: string[] = [];
  for (const key of ['weight', 'standby', 'redirectTo'] as const)
    if (before[key] !== after[key]) what.push(`${key} ${after[key] ?? 'as registered'}`);
  return what;
}

/**
 * A present node is deleted and its instance locked out; one that is gone is forgotten; one already removed stays so. If coordinators share
 * their state, the instance of a gone node is locked out as well: it may still be connected to another one.
 */
export function remove(state: RegistryState, command: RemoveCommand): Rejection | undefined {
  const node = state.nodes.get(command.id);
  if (!node) return rejected('not-found', `there is no node ${command.id}`);
  if (node.liveness === 'gone') {
    if (node.goneCause !== 'removed') removeGone(state, node);
    return undefined;
  }
  const connection = node.isConnected ? node.connection : undefined;
  keepOneLess(state, node);
  state.endAsKilled(node);
  node.operatorStatus = noRequestedStatus(state.nowMs);
  node.operatorDrain = undefined;
  node.overrides = NO_OVERRIDES;
  state.markGone(node, 'removed', { by: command.by });
  if (connection !== undefined)
    state.emit({
      type: 'connection-refused',
      id: node.id,
      connection,
      code: 'removed',
      message: `node ${node.id} was removed by ${command.by}${command.reason === undefined ? '' : `: ${command.reason}`}`,
    });
  return undefined;
}

export function acknowledge(state: RegistryState, { target, by, reason }: AcknowledgeCommand): Rejection | undefined {
  const nodes = targets(state, target);
  if (nodes.length === 0) return rejected('not-found', `there is no ${describe(target)}`);
  for (const node of nodes) {
    if (!isMissing(node) || node.acknowledged !== undefined) continue;
    node.acknowledged = { by, reason, atMs: state.nowMs };
    state.touchNodeRecord(node);
    state.schedule(node);
    state.emit({ type: 'acknowledged', id: node.id, by, ...(reason !== undefined && { reason }) });
  }
  return undefined;
}

function removeGone(state: RegistryState, node: NodeRecord): void {
  const { id, registration } = node;
  if (!state.options.isShared) {
    state.forget(node);
    return;
  }
  const { instance, incarnation } = registration;
  const ended = state.endedElsewhere.get(id) ?? [];
  state.endedElsewhere.set(id, endedOf([...ended, { instance, incarnation, end: 'removed' }]));
  state.forgetRemoved(node);
  state.removedNodes.set(id, {
    ...node,
    goneCause: 'removed',
    operatorStatus: noRequestedStatus(state.nowMs),
    operatorContexts: new Map(),
    overrides: NO_OVERRIDES,
  });
  state.touchSharedNode(node);
}

/** Forgets contexts without nodes, so that requests for them get 404. */
export function forgetContexts(state: RegistryState, choice: ContextChoice): void {
  for (const context of state.remembered.forget(choice, abandonedContexts(state))) state.touchSharedContext(context);
  state.journal.forgetContexts(choice);
}

export function balancerSettings(state: RegistryState, command: BalancerSettingsCommand): Rejection | undefined {
  const { name, source, patch, by } = command;
  const mistake = settingsMistakeOf(state, command);
  if (mistake !== undefined) return rejected('bad-field', mistake);
  if (name === '*') {
    const before = [...state.balancers.values()].map((balancer) => [balancer, balancer.named()] as const);
    patchForAll(state.shared.forAll, source, patch);
    for (const [balancer, settings] of before) {
      const changes = changesText(settings, balancer.named());
      if (changes !== '') state.tellBalancer(balancer.name, by, changes);
    }
    return undefined;
  }
  if (!state.balancers.has(name) && state.balancers.size >= state.options.maxBalancers)
    return rejected(
      'too-many-nodes',
      `the coordinator knows ${state.options.maxBalancers} balancers, as many as it may`,
    );
  if (source === 'operator') state.touchBalancerRecord(name);
  changeSettings(state, name, by, (balancer) => balancer.patch(source, patch));
  return undefined;
}

/** Changes the settings of a balancer, which is made if it is unknown. Reports what has changed in force. */
export function changeSettings(
  state: RegistryState,
  name: BalancerName,
  by: string,
  change: (balancer: BalancerSettings) => void,
): void {
  const isNew = !state.balancers.has(name);
  const balancer = state.balancer(name);
  const before = balancer.named();
  change(balancer);
  if (!balancer.hasSettings) state.noteEmpty(name);
  const changes = changesText(before, balancer.named());
  if (isNew || changes !== '') state.tellBalancer(name, by, isNew ? '' : changes);
}

type SettingsChange = Pick<BalancerSettingsCommand, 'name' | 'source' | 'patch'>;

/** The rule that settings would break with a change, in a sentence; `undefined` for none. */
export function settingsMistakeOf(state: RegistryState, change: SettingsChange): string | undefined {
  const { name, source, patch } = change;
  const fault = patch.limits && limitsFault(patch.limits);
  if (fault !== undefined) return fault;
  const paths = limitPathsAfter(state, change);
  if (paths > MAX_LIMIT_PATHS) return tooManyPaths(paths);
  // An operator may always change other settings than those of the route cookie.
  if (name === '*' || source !== 'operator' || (patch.sticky?.routeCookie ?? patch.sticky?.cookies) === undefined)
    return undefined;
  return state.balancers.get(name)?.mistakeWith(source, patch);
}

/** The largest number of paths with limits that a balancer would have. */
function limitPathsAfter(state: RegistryState, { name, source, patch }: SettingsChange): number {
  if (patch.limits?.paths === undefined) return 0;
  if (name !== '*') {
    const balancer = state.balancers.get(name) ?? new BalancerSettings(name, state.shared);
    return balancer.limitPathsWith(source, patch);
  }
  const forAll = patchedSettings(state.shared.forAll, source, patch);
  return Math.max(limitPathCount(forAll), ...[...state.balancers.values()].map((one) => one.limitPathsUnder(forAll)));
}
