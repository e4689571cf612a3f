// Generated from the OpenAPI document of the coordinator; see README.md.

import type {
  AcknowledgeBody,
  AppliedResource,
  AuditPage,
  BalancerPatch,
  BalancerResource,
  BalancerWriteResult,
  BalancersResource,
  CoordinatorsResource,
  DecisionsBody,
  DecisionsResource,
  DrainEndBody,
  DrainPatch,
  DrainResource,
  DrainsResource,
  EventResource,
  EventsResource,
  ExplainAnswer,
  ExplainBody,
  ForgetBody,
  ForgetResult,
  LoginLink,
  LoginsResource,
  NodeExplanation,
  NodePatch,
  NodePut,
  NodeResource,
  NodesResource,
  PastDecisionResource,
  PastDecisionsResource,
  ReloadResult,
  RemoveBody,
  ScaleBody,
  ScaleResult,
  SelectedStatusBody,
  StatusBody,
  StatusResource,
  TokenCreate,
  TokenList,
  TokenPatch,
  TokenResult,
  TokenRevoke,
  TokenRotate,
  UndoBody,
  WatchDelta,
  WatchSnapshot,
  WriteResult,
} from '@rollcall/protocol';

type QueryValue = string | number | boolean | undefined;

/** Input and answer of each operation, and the data of its events by their names. */
export interface Operations {
  /** `POST /v1/balancers/{name}/acknowledge`, role operator. Acknowledge all missing nodes of a balancer. */
  readonly acknowledgeBalancer: {
    readonly input: { readonly path: { readonly name: string }; readonly body?: AcknowledgeBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/nodes/{id}/acknowledge`, role operator. Acknowledge that a node is missing. */
  readonly acknowledgeNode: {
    readonly input: { readonly path: { readonly id: string }; readonly body?: AcknowledgeBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/login-link`, role admin. A one-time link that logs a browser in. */
  readonly createLoginLink: {
    readonly input: object;
    readonly answer: LoginLink;
  };
  /** `POST /v1/tokens`, role admin. Create a token; its secret is only in this answer. */
  readonly createToken: {
    readonly input: { readonly body: TokenCreate };
    readonly answer: TokenResult;
  };
  /** `POST /v1/balancers/{name}/drain`, role operator. drain all nodes of a balancer. */
  readonly drainBalancer: {
    readonly input: { readonly path: { readonly name: string }; readonly body?: StatusBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/groups/{name}/drain`, role operator. drain all nodes of a group. */
  readonly drainGroup: {
    readonly input: { readonly path: { readonly name: string }; readonly body?: StatusBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/nodes/{id}/drain`, role operator. drain one node. */
  readonly drainNode: {
    readonly input: { readonly path: { readonly id: string }; readonly body?: StatusBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/nodes/drain`, role operator. drain all nodes that match a selector. */
  readonly drainNodes: {
    readonly input: { readonly body: SelectedStatusBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/balancers/{name}/enable`, role operator. enable all nodes of a balancer. */
  readonly enableBalancer: {
    readonly input: { readonly path: { readonly name: string }; readonly body?: StatusBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/groups/{name}/enable`, role operator. enable all nodes of a group. */
  readonly enableGroup: {
    readonly input: { readonly path: { readonly name: string }; readonly body?: StatusBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/nodes/{id}/enable`, role operator. enable one node. */
  readonly enableNode: {
    readonly input: { readonly path: { readonly id: string }; readonly body?: StatusBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/nodes/enable`, role operator. enable all nodes that match a selector. */
  readonly enableNodes: {
    readonly input: { readonly body: SelectedStatusBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/drains/{node}/end`, role operator. End a drain now: the node is stopped, and its sessions fail over. */
  readonly endDrain: {
    readonly input: { readonly path: { readonly node: string }; readonly body?: DrainEndBody };
    readonly answer: WriteResult;
  };
  /** `DELETE /v1/logins/{id}`, role admin. End a login. */
  readonly endLogin: {
    readonly input: { readonly path: { readonly id: string } };
    readonly answer: undefined;
  };
  /** `GET /v1/nodes/{id}/explain`, role viewer. Explain the load factor and the traffic share of a node. */
  readonly explainNode: {
    readonly input: { readonly path: { readonly id: string } };
    readonly answer: NodeExplanation;
  };
  /** `POST /v1/explain`, role viewer. Explain how a request would be routed. */
  readonly explainRequest: {
    readonly input: { readonly body?: ExplainBody };
    readonly answer: ExplainAnswer;
  };
  /** `POST /v1/contexts/forget`, role operator. Forget contexts without nodes: all, or those of a path, or of a path on a host. */
  readonly forgetContexts: {
    readonly input: { readonly body?: ForgetBody };
    readonly answer: ForgetResult;
  };
  /** `DELETE /v1/coordinators/{name}`, role operator. Forget a coordinator that is down and will not return: drains do not wait for its workers. */
  readonly forgetCoordinator: {
    readonly input: { readonly path: { readonly name: string } };
    readonly answer: undefined;
  };
  /** `GET /v1/coordinators/applied`, role operator. Where all changes that this coordinator has taken until now are in force; waits for the other. */
  readonly getAppliedCoordinators: {
    readonly input: { readonly query?: { readonly withinMs?: QueryValue } };
    readonly answer: AppliedResource;
  };
  /** `GET /v1/balancers/{name}`, role viewer. One balancer. */
  readonly getBalancer: {
    readonly input: { readonly path: { readonly name: string } };
    readonly answer: BalancerResource;
  };
  /** `GET /v1/drains/{node}`, role viewer. The drain of one node. */
  readonly getDrain: {
    readonly input: { readonly path: { readonly node: string } };
    readonly answer: DrainResource;
  };
  /** `GET /v1/mcmp/dump`, role viewer. Balancers, nodes, aliases and contexts of MCMP with their settings, as text or XML by Accept. */
  readonly getMcmpDump: {
    readonly input: object;
    readonly answer: string;
  };
  /** `GET /v1/mcmp/info`, role viewer. Nodes, aliases and contexts of MCMP with their states and loads, as text or XML by Accept. */
  readonly getMcmpInfo: {
    readonly input: object;
    readonly answer: string;
  };
  /** `GET /v1/nodes/{id}`, role viewer. One node. */
  readonly getNode: {
    readonly input: { readonly path: { readonly id: string } };
    readonly answer: NodeResource;
  };
  /** `GET /v1/decisions/{requestId}`, role viewer. The decision for one request, by its id. */
  readonly getPastDecision: {
    readonly input: { readonly path: { readonly requestId: string } };
    readonly answer: PastDecisionResource;
  };
  /** `GET /v1/status`, role viewer. State of the cluster. */
  readonly getStatus: {
    readonly input: object;
    readonly answer: StatusResource;
  };
  /** `GET /v1/audit`, role operator. Entries of the audit, newest first; refusals have a what that begins with refused. */
  readonly listAudit: {
    readonly input: { readonly query?: { readonly by?: QueryValue; readonly what?: QueryValue; readonly node?: QueryValue; readonly balancer?: QueryValue; readonly sinceUnixMs?: QueryValue; readonly untilUnixMs?: QueryValue; readonly limit?: QueryValue; readonly after?: QueryValue } };
    readonly answer: AuditPage;
  };
  /** `GET /v1/balancers`, role viewer. Balancers by name, at most 1,000 per answer. */
  readonly listBalancers: {
    readonly input: { readonly query?: { readonly q?: QueryValue; readonly limit?: QueryValue; readonly after?: QueryValue } };
    readonly answer: BalancersResource;
  };
  /** `GET /v1/coordinators`, role viewer. Coordinators of the cluster, this one first; empty for the only one. */
  readonly listCoordinators: {
    readonly input: object;
    readonly answer: CoordinatorsResource;
  };
  /** `GET /v1/drains`, role viewer. Drains in progress, and drains that ended within the last hour, by node. */
  readonly listDrains: {
    readonly input: { readonly query?: { readonly limit?: QueryValue; readonly after?: QueryValue } };
    readonly answer: DrainsResource;
  };
  /** `GET /v1/events`, role viewer. The last 1,000 events, and 200 earlier ones of operators: a list, or with Accept: text/event-stream a stream. */
  readonly listEvents: {
    readonly input: { readonly query?: { readonly since?: QueryValue; readonly node?: QueryValue; readonly balancer?: QueryValue; readonly type?: QueryValue; readonly sinceUnixMs?: QueryValue; readonly untilUnixMs?: QueryValue; readonly limit?: QueryValue } };
    readonly answer: EventsResource;
    readonly events: { readonly message: EventResource };
  };
  /** `GET /v1/logins`, role admin. Logged-in browsers, newest first, at most 100. */
  readonly listLogins: {
    readonly input: object;
    readonly answer: LoginsResource;
  };
  /** `GET /v1/nodes`, role viewer. Nodes by id, at most 1,000 per answer; filters can be combined. */
  readonly listNodes: {
    readonly input: { readonly query?: { readonly all?: QueryValue; readonly balancer?: QueryValue; readonly group?: QueryValue; readonly status?: QueryValue; readonly liveness?: QueryValue; readonly q?: QueryValue; readonly fields?: QueryValue; readonly limit?: QueryValue; readonly after?: QueryValue } };
    readonly answer: NodesResource;
  };
  /** `GET /v1/decisions`, role viewer. The last finished requests, with the decisions of the workers, newest first. */
  readonly listPastDecisions: {
    readonly input: { readonly query?: { readonly node?: QueryValue; readonly balancer?: QueryValue; readonly status?: QueryValue; readonly limit?: QueryValue } };
    readonly answer: PastDecisionsResource;
  };
  /** `GET /v1/tokens`, role admin. Tokens by name, without secrets. */
  readonly listTokens: {
    readonly input: { readonly query?: { readonly limit?: QueryValue; readonly after?: QueryValue; readonly q?: QueryValue } };
    readonly answer: TokenList;
  };
  /** `POST /v1/logout`, role viewer. End the login of this browser. */
  readonly logout: {
    readonly input: object;
    readonly answer: undefined;
  };
  /** `PATCH /v1/balancers/{name}`, role operator. Override settings of a balancer; null removes an override. */
  readonly patchBalancer: {
    readonly input: { readonly path: { readonly name: string }; readonly body?: BalancerPatch };
    readonly answer: BalancerWriteResult;
  };
  /** `PATCH /v1/drains/{node}`, role operator. Set the deadline of a drain that an operator requested; null removes it. */
  readonly patchDrain: {
    readonly input: { readonly path: { readonly node: string }; readonly body: DrainPatch };
    readonly answer: WriteResult;
  };
  /** `PATCH /v1/nodes/{id}`, role operator. Override weight, standby or redirect of a node; null removes an override. */
  readonly patchNode: {
    readonly input: { readonly path: { readonly id: string }; readonly body?: NodePatch };
    readonly answer: WriteResult;
  };
  /** `PATCH /v1/tokens/{name}`, role admin. Change what a token is bound to; null removes a binding, the expiry or the certificate. */
  readonly patchToken: {
    readonly input: { readonly path: { readonly name: string }; readonly body?: TokenPatch };
    readonly answer: TokenResult;
  };
  /** `PUT /v1/nodes/{id}`, role join. Register a node without an agent; with ttlMs the registration is a lease that a repeat renews. */
  readonly putNode: {
    readonly input: { readonly path: { readonly id: string }; readonly body: NodePut };
    readonly answer: WriteResult;
  };
  /** `POST /v1/decisions`, role viewer. The next choices of all workers: at most 100, within at most 30 s. */
  readonly recordDecisions: {
    readonly input: { readonly body?: DecisionsBody };
    readonly answer: DecisionsResource;
  };
  /** `POST /v1/reload`, role admin. Read flags, environment and settings file again; new workers replace the old ones. */
  readonly reloadSettings: {
    readonly input: object;
    readonly answer: ReloadResult;
  };
  /** `DELETE /v1/nodes/{id}`, role operator. Remove a node; its process cannot register again, a new process can. */
  readonly removeNode: {
    readonly input: { readonly path: { readonly id: string }; readonly body?: RemoveBody };
    readonly answer: WriteResult;
  };
  /** `DELETE /v1/tokens/{name}`, role admin. Revoke a token: closes its connections, invalidates its secrets. */
  readonly revokeToken: {
    readonly input: { readonly path: { readonly name: string }; readonly body?: TokenRevoke };
    readonly answer: TokenResult;
  };
  /** `POST /v1/rotate`, role operator. Reopen the log files after they were renamed. */
  readonly rotateLogs: {
    readonly input: object;
    readonly answer: ReloadResult;
  };
  /** `POST /v1/tokens/{name}/rotate`, role admin. Give a token a new secret; the earlier one stays valid for overlapMs, default 1 h. */
  readonly rotateToken: {
    readonly input: { readonly path: { readonly name: string }; readonly body?: TokenRotate };
    readonly answer: TokenResult;
  };
  /** `POST /v1/balancers/{name}/scale`, role operator. Set how many nodes the wrappers of a balancer keep. */
  readonly scaleBalancer: {
    readonly input: { readonly path: { readonly name: string }; readonly body: ScaleBody };
    readonly answer: ScaleResult;
  };
  /** `POST /v1/balancers/{name}/stop`, role operator. stop all nodes of a balancer. */
  readonly stopBalancer: {
    readonly input: { readonly path: { readonly name: string }; readonly body?: StatusBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/groups/{name}/stop`, role operator. stop all nodes of a group. */
  readonly stopGroup: {
    readonly input: { readonly path: { readonly name: string }; readonly body?: StatusBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/nodes/{id}/stop`, role operator. stop one node. */
  readonly stopNode: {
    readonly input: { readonly path: { readonly id: string }; readonly body?: StatusBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/nodes/stop`, role operator. stop all nodes that match a selector. */
  readonly stopNodes: {
    readonly input: { readonly body: SelectedStatusBody };
    readonly answer: WriteResult;
  };
  /** `POST /v1/undo`, role operator. Put back what a change has replaced: status, overrides, settings of a balancer, acknowledgement. */
  readonly undoChange: {
    readonly input: { readonly body?: UndoBody };
    readonly answer: WriteResult;
  };
  /** `GET /v1/watch`, role viewer. The state of the cluster as it is shown: a snapshot, or with Accept: text/event-stream a snapshot and its chan. */
  readonly watchCluster: {
    readonly input: { readonly query?: { readonly balancer?: QueryValue; readonly group?: QueryValue; readonly where?: QueryValue } };
    readonly answer: WatchSnapshot;
    readonly events: { readonly snapshot: WatchSnapshot; readonly delta: WatchDelta };
  };
}

/** Method and path of each operation. */
export const OPERATIONS: { readonly [Id in keyof Operations]: { readonly method: string; readonly path: string } } = {
  acknowledgeBalancer: { method: 'POST', path: '/v1/balancers/{name}/acknowledge' },
  acknowledgeNode: { method: 'POST', path: '/v1/nodes/{id}/acknowledge' },
  createLoginLink: { method: 'POST', path: '/v1/login-link' },
  createToken: { method: 'POST', path: '/v1/tokens' },
  drainBalancer: { method: 'POST', path: '/v1/balancers/{name}/drain' },
  drainGroup: { method: 'POST', path: '/v1/groups/{name}/drain' },
  drainNode: { method: 'POST', path: '/v1/nodes/{id}/drain' },
  drainNodes: { method: 'POST', path: '/v1/nodes/drain' },
  enableBalancer: { method: 'POST', path: '/v1/balancers/{name}/enable' },
  enableGroup: { method: 'POST', path: '/v1/groups/{name}/enable' },
  enableNode: { method: 'POST', path: '/v1/nodes/{id}/enable' },
  enableNodes: { method: 'POST', path: '/v1/nodes/enable' },
  endDrain: { method: 'POST', path: '/v1/drains/{node}/end' },
  endLogin: { method: 'DELETE', path: '/v1/logins/{id}' },
  explainNode: { method: 'GET', path: '/v1/nodes/{id}/explain' },
  explainRequest: { method: 'POST', path: '/v1/explain' },
  forgetContexts: { method: 'POST', path: '/v1/contexts/forget' },
  forgetCoordinator: { method: 'DELETE', path: '/v1/coordinators/{name}' },
  getAppliedCoordinators: { method: 'GET', path: '/v1/coordinators/applied' },
  getBalancer: { method: 'GET', path: '/v1/balancers/{name}' },
  getDrain: { method: 'GET', path: '/v1/drains/{node}' },
  getMcmpDump: { method: 'GET', path: '/v1/mcmp/dump' },
  getMcmpInfo: { method: 'GET', path: '/v1/mcmp/info' },
  getNode: { method: 'GET', path: '/v1/nodes/{id}' },
  getPastDecision: { method: 'GET', path: '/v1/decisions/{requestId}' },
  getStatus: { method: 'GET', path: '/v1/status' },
  listAudit: { method: 'GET', path: '/v1/audit' },
  listBalancers: { method: 'GET', path: '/v1/balancers' },
  listCoordinators: { method: 'GET', path: '/v1/coordinators' },
  listDrains: { method: 'GET', path: '/v1/drains' },
  listEvents: { method: 'GET', path: '/v1/events' },
  listLogins: { method: 'GET', path: '/v1/logins' },
  listNodes: { method: 'GET', path: '/v1/nodes' },
  listPastDecisions: { method: 'GET', path: '/v1/decisions' },
  listTokens: { method: 'GET', path: '/v1/tokens' },
  logout: { method: 'POST', path: '/v1/logout' },
  patchBalancer: { method: 'PATCH', path: '/v1/balancers/{name}' },
  patchDrain: { method: 'PATCH', path: '/v1/drains/{node}' },
  patchNode: { method: 'PATCH', path: '/v1/nodes/{id}' },
  patchToken: { method: 'PATCH', path: '/v1/tokens/{name}' },
  putNode: { method: 'PUT', path: '/v1/nodes/{id}' },
  recordDecisions: { method: 'POST', path: '/v1/decisions' },
  reloadSettings: { method: 'POST', path: '/v1/reload' },
  removeNode: { method: 'DELETE', path: '/v1/nodes/{id}' },
  revokeToken: { method: 'DELETE', path: '/v1/tokens/{name}' },
  rotateLogs: { method: 'POST', path: '/v1/rotate' },
  rotateToken: { method: 'POST', path: '/v1/tokens/{name}/rotate' },
  scaleBalancer: { method: 'POST', path: '/v1/balancers/{name}/scale' },
  stopBalancer: { method: 'POST', path: '/v1/balancers/{name}/stop' },
  stopGroup: { method: 'POST', path: '/v1/groups/{name}/stop' },
  stopNode: { method: 'POST', path: '/v1/nodes/{id}/stop' },
  stopNodes: { method: 'POST', path: '/v1/nodes/stop' },
  undoChange: { method: 'POST', path: '/v1/undo' },
  watchCluster: { method: 'GET', path: '/v1/watch' },
};
