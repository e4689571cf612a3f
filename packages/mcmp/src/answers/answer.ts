/** What a message is answered with. */

/** Version of MCMP, in faults and VERSION. */
export const PROTOCOL_VERSION = '0.2.1';

/** `SYNTAX` silences a Java node until an operator resets it. After any other kind it sends INFO and registers again at its next tick. */
export type FaultKind = 'SYNTAX' | 'MEM' | 'GENERAL';

export interface FaultAnswer {
  readonly type: 'fault';
  readonly kind: FaultKind;
  /** Text of the field `Mess`; latin1 without line ends. */
  readonly mess: string;
}

export interface BodyAnswer {
  readonly type: 'body';
  /** Empty for commands without a reply text. latin1. */
  readonly body: string;
  readonly isXml: boolean;
}

export type Answer = FaultAnswer | BodyAnswer;

/** 200 without a body. */
export const DONE: BodyAnswer = { type: 'body', body: '', isXml: false };

export function text(body: string): BodyAnswer {
  return { type: 'body', body, isXml: false };
}

export function xml(body: string): BodyAnswer {
  return { type: 'body', body: `<?xml version="1.0" standalone="yes" ?>\n${body}`, isXml: true };
}

function fault(kind: FaultKind, mess: string): FaultAnswer {
  return { type: 'fault', kind, mess };
}

type FixedFault =
  | 'unreadable'
  | 'noRoute'
  | 'noRouteInStatus'
  | 'aliasAlone'
  | 'contextAlone'
  | 'noApp'
  | 'aliasTwice'
  | 'contextTwice'
  | 'emptyAlias'
  | 'emptyContext'
  | 'fieldsMissing'
  | 'badLoad'
  | 'otherRoute'
  | 'internal';

/** Faults that name a value of the message. */
interface NamedFaults {
  tooBig(field?: string): FaultAnswer;
  badValue(field: string): FaultAnswer;
  invalidField(key: string): FaultAnswer;
  badScheme(scheme: string): FaultAnswer;
  unknownNode(route: string): FaultAnswer;
  otherAddress(route: string): FaultAnswer;
  noNode(route: string): FaultAnswer;
  noAlias(route: string): FaultAnswer;
  noContext(route: string): FaultAnswer;
  notAllowed(what: string): FaultAnswer;
}

/** The faults of MCMP. The texts are those of mod_proxy_cluster, which tools and people search for. */
export const faults: Readonly<Record<FixedFault, FaultAnswer>> & NamedFaults = {
  unreadable: fault(
    'SYNTAX',
    "SYNTAX: Can't parse MCMP message. It might have contained illegal symbols or unknown elements.",
  ),
  noRoute: fault('SYNTAX', "SYNTAX: JVMRoute can't be empty"),
  noRouteInStatus: fault('SYNTAX', 'TODO: No JVMRoute given!'),
  aliasAlone: fault('SYNTAX', 'SYNTAX: Alias without Context'),
  contextAlone: fault('SYNTAX', 'SYNTAX: Context without Alias'),
  noApp: fault('SYNTAX', 'SYNTAX: No Context and Alias in APP command'),
  aliasTwice: fault('SYNTAX', 'SYNTAX: Only one Alias in APP command'),
  contextTwice: fault('SYNTAX', 'SYNTAX: Only one Context in APP command'),
  emptyAlias: fault('SYNTAX', 'TODO: Empty Alias is not allowed'),
  emptyContext: fault('SYNTAX', 'TODO: Empty Context is not allowed'),
  fieldsMissing: fault('SYNTAX', 'SYNTAX: Mandatory field(s) missing in message'),
  /** Not SYNTAX as in head: 1.3.x accepts such a load, and one wrong number must not silence the node. */
  badLoad: fault('GENERAL', 'TODO: Bad value for Load'),
  tooBig: (field?: string): FaultAnswer =>
    fault('SYNTAX', field === undefined ? 'SYNTAX: A field is too big' : `SYNTAX: ${field} field too big`),
  badValue: (field: string): FaultAnswer => fault('SYNTAX', `SYNTAX: ${field} field has bad value`),
  invalidField: (key: string): FaultAnswer => fault('SYNTAX', `SYNTAX: Invalid field "${key}" in message`),
  badScheme: (scheme: string): FaultAnswer => fault('SYNTAX', `PING Unsupported scheme: ${scheme}`),
  unknownNode: (route: string): FaultAnswer => fault('MEM', `MEM: Can't read node with "${route}" JVMRoute`),
  otherAddress: (route: string): FaultAnswer => fault('MEM', `MEM: Node with "${route}" JVMRoute already exists`),
  /** Not SYNTAX: the node registers again at its next tick. */
  internal: fault('GENERAL', 'GENERAL: internal error; see the log of the coordinator'),
  otherRoute: fault('MEM', 'MEM: Another for the same worker already exist'),
  noNode: (route: string): FaultAnswer => fault('MEM', `MEM: Can't update or insert node with "${route}" JVMRoute`),
  noAlias: (route: string): FaultAnswer =>
    fault('MEM', `MEM: Can't update or insert host alias with "${route}" JVMRoute`),
  noContext: (route: string): FaultAnswer =>
    fault('MEM', `MEM: Can't update or insert context with "${route}" JVMRoute`),
  /** Not SYNTAX: an operator may change the rights of an identity while the node runs. */
  notAllowed: (what: string): FaultAnswer => fault('GENERAL', `GENERAL: ${what} is not allowed for this identity`),
};
