/** Registration of a wrapped program: from flags, the description of its SDK, and the address at which it listens. */
import { isDeepStrictEqual } from 'node:util';
import { type AnnouncedAddress, type NodeDescription, nodeUrlText, thisProcess, toRegistration } from '@rollcall/agent';
import {
  type Copies,
  type Fault,
  MAX_READY_PATH,
  type NodeRegistration,
  nodeAddress,
  optional,
} from '@rollcall/protocol';
import { boundAddress, programAddress } from './program-address.ts';

export interface ProgramFacts {
  /** Description of the node by flags. */
  readonly description: NodeDescription;
  readonly port: number;
  /** The program speaks TLS. Default false. */
  readonly isTls?: boolean;
  /** Host to announce; default the address of the program on the interface to the coordinator. */
  readonly announcedAddress?: string;
  /** The first process of the program, if known. */
  readonly pid?: number;
  readonly readyPath?: string;
  /** Number of copies, read at each registration; `undefined` for a program without copies. */
  readonly copies?: () => Copies;
}

export interface Identity {
  readonly id: string;
  readonly route: string;
  readonly instance: string;
  readonly incarnation: number;
}

/** Both ends of the connection to the coordinator, empty if unknown, and the address at which the program has answered. */
export interface Way {
  readonly local: string;
  readonly remote: string;
  readonly answers: string;
}

/** Flags override the description of the program in `own`, except its sticky settings: the program knows its own cookies. */
export function programRegistration(
  facts: ProgramFacts,
  own: NodeRegistration | undefined,
  identity: Identity,
  way: Way,
): NodeRegistration | Fault {
  const { description, port, isTls = false, readyPath, copies } = facts;
  const announced = announcedBy(facts, own, way);
  if (description.url === undefined && 'problem' in announced)
    return { code: 'bad-address', message: announced.problem };
  return toRegistration(
    { ...(own && describedBy(own)), ...description, ...optional('sticky', own?.sticky ?? description.sticky) },
    {
      ...identity,
      url: description.url ?? ('address' in announced ? nodeUrlText(announced.address, port, isTls) : ''),
      // For people, who look for the program, not for its wrapper.
      process: { ...thisProcess(), ...optional('pid', facts.pid) },
      ...(own && { loadHeader: own.loadHeader, ...optional('proves', own.proves), ...optional('cores', own.cores) }),
      // Without a path, probes only connect.
      ...(readyPath === undefined || readyPath.length > MAX_READY_PATH ? {} : { readyPath }),
      ...(copies === undefined ? {} : { copies: copies() }),
    },
  );
}

/** Whether flags and program have different sticky settings. */
export function isStickyContested({ sticky }: NodeDescription, own: NodeRegistration | undefined): boolean {
  return own?.sticky !== undefined && sticky !== undefined && !isDeepStrictEqual(own.sticky, sticky);
}

function announcedBy(facts: ProgramFacts, own: NodeRegistration | undefined, way: Way): AnnouncedAddress {
  const { announcedAddress, pid, port } = facts;
  if (announcedAddress !== undefined) return { address: announcedAddress };
  const host = own && nodeAddress(own.url).host;
  if (host !== undefined && host !== '127.0.0.1' && host !== '::1') return { address: host };
  const bound = pid === undefined ? undefined : boundAddress(pid, port, way.local);
  return programAddress({ bound, ...way });
}

/** Fields that a program may set for its node; id and address are set by the wrapper. */
function describedBy(own: NodeRegistration): NodeDescription {
  const { balancer, hosts, contexts, stripPrefix, weight, group, version, keepAliveMs, publicUrl, meta } = own;
  return {
    balancer,
    hosts,
    contexts,
    weight,
    meta,
    ...optional('stripPrefix', stripPrefix),
    ...optional('group', group),
    ...optional('version', version),
    ...optional('keepAliveMs', keepAliveMs),
    ...optional('publicUrl', publicUrl),
  };
}
