/**
 * INFO, DUMP and VERSION in text and XML, as mod_proxy_cluster 1.3.x writes them. All aliases of a host are under one vhost index, and all
 * numbers start at 1. "Transfered" is spelt as on the wire. The Java listener reads INFO line by line: nodes, then hosts, then contexts.
 */
import type { BookNode, ContextState } from '../book/book-node.ts';
import type { BalancerPolicy, NodeNumbers } from '../book/registry-port.ts';
import { type BodyAnswer, PROTOCOL_VERSION, text, xml } from './answer.ts';

const RELEASE = 'mod_cluster/1.3.23.Final (Rollcall)';
const STATE_NUMBERS: Readonly<Record<ContextState, number>> = { ENABLED: 1, DISABLED: 2, STOPPED: 3 };
const FLUSH_NUMBERS = { Off: 0, On: 1, Auto: 2 } as const;

/** A node with what the registry knows of it. */
export interface ListedNode extends BookNode {
  readonly numbers: NodeNumbers;
  /** Settings of its balancer in force; `undefined` while the registry does not know the balancer. */
  readonly policy: BalancerPolicy | undefined;
}

interface HostRow {
  readonly node: number;
  readonly host: number;
  readonly alias: string;
}

interface ContextRow extends Omit<HostRow, 'alias'> {
  readonly path: string;
  readonly state: ContextState;
}

function hostRows(nodes: readonly ListedNode[]): HostRow[] {
  return nodes.flatMap(({ index, hosts }) =>
    hosts.flatMap((host) => host.aliases.map((alias) => ({ node: index, host: host.index, alias }))),
  );
}

function contextRows(nodes: readonly ListedNode[]): ContextRow[] {
  return nodes.flatMap(({ index, hosts }) =>
    hosts.flatMap((host) =>
      [...host.contexts].map(([path, state]) => ({ node: index, host: host.index, path, state })),
    ),
  );
}

/** Name and value in the order of INFO, without the first two. */
function infoFields({ config, numbers, load = 0 }: ListedNode): [name: string, value: string | number][] {
  return [
    ['Balancer', config.balancer],
    ['LBGroup', config.group],
    ['Host', config.host],
    ['Port', config.port],
    ['Type', config.typeText],
    ['Flushpackets', config.flushPackets],
    ['Flushwait', config.flushWaitMs],
    ['Ping', config.pingS],
    ['Smax', config.smax],
    ['Ttl', config.ttlS],
    ['Elected', numbers.elected],
    ['Read', numbers.read],
    ['Transfered', numbers.transferred],
    ['Connected', numbers.connected],
    ['Load', load],
  ];
}

export function info(nodes: readonly ListedNode[], isXml: boolean): BodyAnswer {
  const hosts = hostRows(nodes);
  const contexts = contextRows(nodes);
  if (!isXml)
    return text(
      lines([
        ...nodes.map((node) => {
          const fields = infoFields(node).map(([name, value]) => `${name}: ${value}`);
          return [`Node: [${node.index}]`, `Name: ${node.config.route}`, ...fields].join(',');
        }),
        ...hosts.map(({ node, host, alias }, i) => `Vhost: [${node}:${host}:${i + 1}], Alias: ${alias}`),
        ...contexts.map(
          ({ node, host, path, state }, i) => `Context: [${node}:${host}:${i + 1}], Context: ${path}, Status: ${state}`,
        ),
      ]),
    );
  const nodeRows = nodes.map((node) => {
    const fields = infoFields(node).map(([name, value]) => element(name, value));
    return `<Node id="${node.index}" name="${escaped(node.config.route)}">${fields.join('')}</Node>`;
  });
  const vhosts = hosts.map(
    ({ node, host, alias }) => `<Vhost id="${host}" alias="${escaped(alias)}"><Node id="${node}"/></Vhost>`,
  );
  const apps = contexts.map(
    ({ node, host, path, state }, i) =>
      `<Context id="${i + 1}"><Status id="${STATE_NUMBERS[state]}">${state}</Status>${element('Context', path)}<Node id="${node}"/><Vhost id="${host}"/></Context>`,
  );
  return xml(
    `<Info><Nodes>${nodeRows.join('')}</Nodes><Vhosts>${vhosts.join('')}</Vhosts><Contexts>${apps.join('')}</Contexts></Info>\n`,
  );
}

/** One balancer with the settings that apply to all its nodes. */
interface BalancerRow {
  readonly name: string;
  readonly isSticky: boolean;
  readonly cookie: string;
  readonly path: string;
  readonly isRemoved: boolean;
  readonly isForced: boolean;
  readonly waitWorkerS: number;
  readonly maxAttempts: number;
}

/** The policy of the coordinator, where it knows the balancer; not the last CONFIG. */
function balancerRows(nodes: readonly ListedNode[]): BalancerRow[] {
  const rows = new Map<string, BalancerRow>();
  for (const { config, policy } of nodes) {
    if (rows.has(config.balancer)) continue;
    const { sticky } = config;
    const inForce = policy && {
      isSticky: policy.sticky.mode !== 'none',
      cookie: policy.sticky.cookies[0] ?? '',
      path: policy.sticky.parameters[0] ?? '',
      isRemoved: policy.sticky.remove,
      isForced: policy.sticky.failover === 'none' || policy.sticky.failover === 'group',
      maxAttempts: policy.retries,
    };
    rows.set(config.balancer, { name: config.balancer, ...sticky, ...inForce });
  }
  return [...rows.values()];
}

/** Name and value in the order of DUMP, without the first two. */
function dumpFields({ config }: ListedNode): [name: string, value: string | number][] {
  return [
    ['Host', config.host],
    ['Port', config.port],
    ['Type', config.typeText],
    ['FlushPackets', FLUSH_NUMBERS[config.flushPackets]],
    ['FlushWait', config.flushWaitMs],
    ['Ping', config.pingS],
    ['Smax', config.smax],
    ['Ttl', config.ttlS],
    ['Timeout', config.timeoutS],
  ];
}

export function dump(nodes: readonly ListedNode[], isXml: boolean): BodyAnswer {
  const balancers = balancerRows(nodes);
  const hosts = hostRows(nodes);
  const contexts = contextRows(nodes);
  if (isXml) return dumpXml(nodes, balancers, hosts, contexts);
  return text(
    lines([
      ...balancers.map(
        (row, i) =>
          `balancer: [${i + 1}] Name: ${row.name} Sticky: ${Number(row.isSticky)} [${row.cookie}]/[${row.path}] remove: ${Number(row.isRemoved)} force: ${Number(row.isForced)} Timeout: ${row.waitWorkerS} maxAttempts: ${row.maxAttempts}`,
      ),
      ...nodes.map((node, i) => {
        const { balancer, route, group } = node.config;
        // Host, port and type with a capital, the others without: as in the original.
        const fields = dumpFields(node).map(([name, value], at) => `${at < 3 ? name : name.toLowerCase()}: ${value}`);
        return `node: [${i + 1}:${node.index}],Balancer: ${balancer},JVMRoute: ${route},LBGroup: [${group}],${fields.join(',')}`;
      }),
      ...hosts.map(({ node, host, alias }, i) => `host: ${i + 1} [${alias}] vhost: ${host} node: ${node}`),
      ...contexts.map(
        ({ node, host, path, state }, i) =>
          `context: ${i + 1} [${path}] vhost: ${host} node: ${node} status: ${STATE_NUMBERS[state]}`,
      ),
    ]),
  );
}

function dumpXml(
  nodes: readonly ListedNode[],
  balancers: readonly BalancerRow[],
  hosts: readonly HostRow[],
  contexts: readonly ContextRow[],
): BodyAnswer {
  const balancerTexts = balancers.map((row, i) => {
    const sticky = [
      element('Enabled', Number(row.isSticky)),
      element('Cookie', row.cookie),
      element('Path', row.path),
      element('Remove', Number(row.isRemoved)),
      element('Force', Number(row.isForced)),
    ];
    return `<Balancer id="${i + 1}" name="${escaped(row.name)}"><StickySession>${sticky.join('')}</StickySession>${element('Timeout', row.waitWorkerS)}${element('MaxAttempts', row.maxAttempts)}</Balancer>`;
  });
  const nodeTexts = nodes.map((node) => {
    const { balancer, route, group } = node.config;
    const names = element('Balancer', balancer) + element('JVMRoute', route) + element('LBGroup', group);
    const fields = dumpFields(node).map(([name, value]) => element(name, value));
    return `<Node id="${node.index}">${names}${fields.join('')}</Node>`;
  });
  const hostTexts = hosts.map(
    ({ node, host, alias }, i) =>
      `<Host id="${i + 1}" alias="${escaped(alias)}">${element('Vhost', host)}${element('Node', node)}</Host>`,
  );
  const contextTexts = contexts.map(
    ({ node, host, path, state }, i) =>
      `<Context id="${i + 1}" path="${escaped(path)}">${element('Vhost', host)}${element('Node', node)}<Status id="${STATE_NUMBERS[state]}">${state}</Status></Context>`,
  );
  return xml(
    `<Dump><Balancers>${balancerTexts.join('')}</Balancers><Nodes>${nodeTexts.join('')}</Nodes><Hosts>${hostTexts.join('')}</Hosts><Contexts>${contextTexts.join('')}</Contexts></Dump>\n`,
  );
}

export function version(isXml: boolean): BodyAnswer {
  if (!isXml) return text(`release: ${RELEASE}, protocol: ${PROTOCOL_VERSION}\n`);
  return xml(`<version>${element('release', RELEASE)}${element('protocol', PROTOCOL_VERSION)}</version>\n`);
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}

function element(name: string, value: string | number): string {
  return `<${name}>${escaped(String(value))}</${name}>`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(value: string): string {
  return value.replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}
