/** The balancer-manager page: the nodes of each balancer, the actions drain, enable and stop, advice, and events. */
import type {
  BalancerResource,
  BalancersResource,
  EventResource,
  NodeResource,
  NodesResource,
  StatusResource,
  WriteResult,
} from '@rollcall/protocol';
import { follow, get, poll, post, tellFailure } from './admin-api.js';
import { sessionsText } from './amounts.js';
import { byId, make, setText, showIf } from './dom.js';
import { ExplanationDialog } from './explanation-dialog.js';
import { NodeTable, type Verb } from './node-table.js';
import { PageTurner } from './page-turner.js';
import { offerLogout } from './session.js';

const PERIOD_MS = 1_000;
const MAX_EVENTS = 200;

interface Section {
  readonly element: HTMLElement;
  readonly about: HTMLElement;
  readonly table: NodeTable;
}

const sections = new Map<string, Section>();
const explanation = new ExplanationDialog();
const pages = new PageTurner(() => void refresh().catch(tellFailure));

poll(refresh, PERIOD_MS);
followEvents();
offerLogout();

async function refresh(): Promise<void> {
  const [{ nodes, next }, { balancers }, status] = await Promise.all([
    get<NodesResource>(`/v1/nodes?${pages.query}`),
    get<BalancersResource>('/v1/balancers'),
    get<StatusResource>('/v1/status'),
  ]);
  setText(
    byId('summary'),
    `${status.nodes.up} nodes up · ${sessionsText(status)} · ${status.requestsPerSecond.toFixed(1)} requests/s`,
  );
  const advice = byId('advice');
  advice.hidden = status.advice.length === 0;
  advice.replaceChildren(...status.advice.map((sentence) => make('li', '', sentence)));
  const { up, suspect, joining, down } = status.nodes;
  pages.update(nodes.length, up + suspect + joining + down, next);
  showBalancers(nodes, new Map(balancers.map((balancer) => [balancer.name, balancer])), status);
  await explanation.refresh();
}

function showBalancers(
  nodes: readonly NodeResource[],
  balancers: ReadonlyMap<string, BalancerResource>,
  status: StatusResource,
): void {
  const main = byId('balancers');
  const names = [...new Set(nodes.map((node) => node.balancer))].sort();
  for (const [name, section] of sections) {
    if (names.includes(name as NodeResource['balancer'])) continue;
    section.element.remove();
    sections.delete(name);
  }
  for (const name of names) {
    const section = sections.get(name) ?? addSection(main, name);
    setText(section.about, aboutBalancer(balancers.get(name)));
    section.table.update(nodes.filter((node) => node.balancer === name));
  }
  const empty = document.getElementById('empty');
  if (names.length > 0) empty?.remove();
  else if (!empty) {
    const note = make(
      'section',
      '',
      make('h2', '', 'No nodes yet'),
      make(
        'p',
        '',
        'Add a program: ',
        make('code', '', `rollcall run --coordinator ${status.control} -- YOUR PROGRAM {port}`),
      ),
    );
    note.id = 'empty';
    main.replaceChildren(note);
  }
}

function addSection(main: HTMLElement, name: string): Section {
  const about = make('p', '');
  const table = new NodeTable({
    onVerb: (verb, node) => void act(verb, node),
    onWhy: ({ id }) => void explanation.show(id),
  });
  const section: Section = { element: make('section', '', make('h2', '', name), about, table.element), about, table };
  main.append(section.element);
  sections.set(name, section);
  return section;
}

function aboutBalancer(balancer: BalancerResource | undefined): string {
  if (!balancer) return '';
  const places = balancer.contexts.map(({ host, path }) => `${host}${path}`).join(' ');
  return `${places} · sticky ${balancer.sticky.mode}, failover ${balancer.sticky.failover} · new sessions by ${balancer.sessionAlgorithm}, requests by ${balancer.algorithm} · ${balancer.nodesUp} of ${balancer.nodes} nodes up${copiesNote(balancer)}`;
}

/** Empty while no copy fails; the advice names the causes. */
function copiesNote({ copies }: BalancerResource): string {
  if (copies === undefined || copies.failing.length === 0) return '';
  return `, ${copies.wanted} wanted, ${copies.failing.length} failing`;
}

const EFFECT: Readonly<Record<Verb, string>> = {
  drain: 'The node keeps its sessions and gets no new ones.',
  enable: 'The node gets requests and new sessions again.',
  stop: 'The node gets no more requests. Its sessions move to other nodes or end.',
};

/** Asks, then acts. If no eligible node would be left, the dialog shows it before. */
async function act(verb: Verb, node: NodeResource): Promise<void> {
  const path = `/v1/nodes/${node.id}/${verb}`;
  try {
    const { nobodyEligible } = await post<WriteResult>(path, { dryRun: true });
    const sessions = verb === 'stop' ? ` The node has ${sessionsText(node)}.` : '';
    const warning = nobodyEligible === undefined ? '' : ` Warning: ${nobodyEligible}.`;
    const reason = await confirmed(`${verb} ${node.id}?`, `${EFFECT[verb]}${sessions}${warning}`, verb);
    if (reason === undefined) return;
    const { note } = await post<WriteResult>(path, {
      ...(reason !== '' && { reason }),
      ...(nobodyEligible !== undefined && { force: true }),
    });
    showIf(byId('trouble'), '');
    if (note !== undefined) tellFailure(note);
    await refresh();
  } catch (error) {
    tellFailure(error);
  }
}

/** Opens the confirmation dialog. Resolves with the reason (may be empty), or `undefined` if the user cancels. */
function confirmed(title: string, text: string, verb: Verb): Promise<string | undefined> {
  const dialog = byId<HTMLDialogElement>('confirm');
  const reason = byId<HTMLInputElement>('confirm-reason');
  setText(byId('confirm-title'), title);
  setText(byId('confirm-text'), text);
  setText(byId('confirm-ok'), verb);
  reason.value = '';
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'ok' ? reason.value.trim() : undefined), {
      once: true,
    }),
  );
}

/** Lists the latest events of the cluster, at most `MAX_EVENTS`, newest first. */
function followEvents(): void {
  const list = byId('events');
  void follow('/v1/events', (event: EventResource) => {
    const time = make('time', '', new Date(event.atUnixMs).toLocaleTimeString());
    list.prepend(make('li', '', time, event.by ? `${event.message} (by ${event.by})` : event.message));
    while (list.childElementCount > MAX_EVENTS) list.lastElementChild?.remove();
  });
}
