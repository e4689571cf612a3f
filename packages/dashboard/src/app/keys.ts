/** Listens to keys and carries out their commands. */
import type { Verb } from '../model/commands.ts';
import { type KeyCommand, keyCommand } from '../model/keyboard.ts';
import { canAct, current, dialog, go, listed, place, selected, toggle } from './state.ts';

let isAfterGo = false;

export function listenToKeys(): void {
  addEventListener('keydown', (press) => {
    const target = press.target as HTMLElement | null;
    if (dialog.value !== undefined || press.repeat) return;
    const command = keyCommand({
      key: press.key,
      isModified: press.ctrlKey || press.metaKey || press.altKey,
      isInField: target?.matches('input:not([type=checkbox]), select, textarea') ?? false,
      isOnControl: target?.matches('button, a, input') ?? false,
      isAfterGo,
    });
    isAfterGo = command === 'go';
    if (command === undefined) return;
    if (carryOut(command, target)) press.preventDefault();
  });
}

/** False: the key is left to the browser. */
function carryOut(command: KeyCommand, target: HTMLElement | null): boolean {
  switch (command) {
    case 'search':
      openThen({ view: 'cluster' }, 'search');
      return true;
    case 'next':
    case 'previous':
      step(command === 'next' ? 1 : -1);
      return true;
    case 'drain':
    case 'enable':
    case 'stop':
      return act(command);
    case 'select':
      if (current.value === undefined || !canAct.value) return false;
      toggle(current.value);
      return true;
    case 'open':
      if (current.value === undefined || place.value.view !== 'cluster') return false;
      go({ view: 'node', node: current.value });
      return true;
    case 'help':
      dialog.value = { type: 'help' };
      return true;
    case 'close':
      return close(target);
    case 'nodes':
      openThen({ view: 'cluster' }, 'nodes');
      return true;
    case 'balancers':
      openThen({ view: 'cluster' }, 'balancers');
      return true;
    case 'events':
      go({ view: command });
      return true;
    case 'go':
      return true;
  }
}

/** Opens a view and moves the focus to an element of it: at once if it is there, because the next key may follow. */
function openThen(change: Parameters<typeof go>[0], id: string): void {
  const focus = (): boolean => {
    const element = document.getElementById(id);
    element?.focus();
    element?.scrollIntoView({ block: 'nearest' });
    return element !== null;
  };
  if (place.value.view === change.view && focus()) return;
  go(change);
  requestAnimationFrame(focus);
}

function step(by: number): void {
  if (place.value.view !== 'cluster') return;
  const ids = listed.value.flatMap((row) => (row.type === 'node' ? [row.id] : []));
  const at = current.value === undefined ? -1 : ids.indexOf(current.value);
  const next = at < 0 ? (by > 0 ? 0 : ids.length - 1) : Math.min(ids.length - 1, Math.max(0, at + by));
  current.value = ids[next];
}

function act(verb: Verb): boolean {
  if (!canAct.value) return false;
  const ids = [...selected.value];
  const node = place.value.view === 'node' ? place.value.node : current.value;
  const nodes = ids.length > 0 ? ids : node === undefined ? [] : [node];
  if (nodes.length === 0) return false;
  dialog.value = { type: 'act', act: { verb, target: { nodes } } };
  return true;
}

function close(target: HTMLElement | null): boolean {
  if (target?.id === 'search') {
    if (place.value.query !== '') go({ query: '' }, false);
    target.blur();
  } else if (selected.value.size > 0) selected.value = new Set();
  else if (place.value.view === 'node') go({ view: 'cluster' });
  else return false;
  return true;
}
