/** Builds and validates the registration of a node from the options of the application. */
import type { Copies, Fault, NodeProcess, NodeRegistration, StickyHint } from '@rollcall/protocol';
import { decodeAgentMessage, isName } from '@rollcall/protocol';

/** A path prefix with hosts of its own. */
export interface ContextDescription {
  readonly path: string;
  /** 1–16 host names, default: those of the node. */
  readonly hosts?: readonly string[];
}

/** Description of a node. Each field has a default; names match `[A-Za-z0-9_-]{1,64}`. */
export interface NodeDescription {
  /** Name of the set of nodes that serve the same application, default `default`. */
  readonly balancer?: string;
  /** Identifier of the node; default `<balancer>-<6 hex>`, a hash of host name, working directory and port. */
  readonly id?: string;
  /** Route token of the node in session ids, default the id. */
  readonly route?: string;
  /** Address for proxy workers; default: the address of the attached server (`announced-address.ts`). */
  readonly url?: string;
  /** 1–128 path prefixes, default `/`. */
  readonly contexts?: readonly (string | ContextDescription)[];
  /**
   * The proxy takes the context off the path of requests, and puts it back on redirects and cookie paths. Default false: the path is
   * forwarded unchanged.
   */
  readonly stripPrefix?: boolean;
  /** 1–16 host names of the contexts without hosts of their own, default `*`. */
  readonly hosts?: readonly string[];
  /** Multiplier of the node's share, 0.001–100, default 1. */
  readonly weight?: number;
  /** Failure domain of the node; default none. */
  readonly group?: string;
  /** Version of the application, informational; default none. */
  readonly version?: string;
  /** Keep-alive time of idle connections, in milliseconds; default `keepAliveTimeout` of the attached server. */
  readonly keepAliveMs?: number;
  /** Address at which clients reach the node directly; default none. */
  readonly publicUrl?: string;
  readonly sticky?: StickyHint;
  /** Informational: at most 16 entries of at most 256 characters. */
  readonly meta?: Readonly<Record<string, string>>;
}

/** Fields that the process determines itself. */
export interface RegistrationFacts {
  readonly id: string;
  readonly route: string;
  readonly url: string;
  readonly instance: string;
  readonly incarnation: number;
  /** Host name and pid for messages about this node. */
  readonly process?: NodeProcess;
  /** Whether probes of `url` reach this process and get a proof. Default false. */
  readonly proves?: boolean;
  readonly cores?: number;
  readonly loadHeader?: boolean;
  readonly keepAliveMs?: number;
  /** Readiness path, for probes of programs that do not answer `OPTIONS *`. */
  readonly readyPath?: string;
  /** Copies of the program that a wrapper runs. */
  readonly copies?: Copies;
}

/** Builds the registration and validates it with the rules of the coordinator. A fault names the invalid field. */
export function toRegistration(description: NodeDescription, facts: RegistrationFacts): NodeRegistration | Fault {
  const balancer = description.balancer ?? 'default';
  // Checked before the id, which may be derived from it, so that the fault names the field that the user has set.
  if (!isName(balancer)) return { code: 'bad-name', message: 'node.balancer is not [A-Za-z0-9_-]{1,64}' };
  const node = {
    ...description,
    ...facts,
    balancer,
    // An untyped application may set another value than a list.
    contexts: Array.isArray(description.contexts)
      ? description.contexts.map((context) => (typeof context === 'object' ? context : { path: context }))
      : description.contexts,
    keepAliveMs: description.keepAliveMs ?? facts.keepAliveMs,
  };
  const text = jsonOf({ type: 'register', node });
  if (text === undefined) return { code: 'bad-field', message: 'the options of the node are not plain data' };
  const message = decodeAgentMessage(text);
  if (message.type === 'malformed') return { code: message.code, message: message.message };
  if (message.type !== 'register') return { code: 'bad-message', message: 'not a registration' };
  return message.node;
}

function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** `http://<address>:<port>`, with brackets around IPv6. */
export function nodeUrlText(address: string, port: number, isTls: boolean): string {
  return `${isTls ? 'https' : 'http'}://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/**
 * `description` with `ROLLCALL_NODE_ID` and `ROLLCALL_ROUTE` of the environment. `rollcall run` sets them from its flags, so
 * they take precedence. An empty variable is unset.
 */
export function withEnvironment(
  description: NodeDescription,
  environment: Readonly<Record<string, string | undefined>>,
): NodeDescription {
  const id = environment['ROLLCALL_NODE_ID'];
  const route = environment['ROLLCALL_ROUTE'];
  return { ...description, ...(id ? { id } : {}), ...(route ? { route } : {}) };
}
