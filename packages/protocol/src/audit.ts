/** The audit and the undo of changes. Instants are wall clock Unix milliseconds. */

/** One entry of the audit. */
export interface AuditResource {
  /** Increases from entry to entry; the event of the entry has the same number. */
  readonly id: number;
  readonly atUnixMs: number;
  /** Type of the event, or `refused` with the refused request. */
  readonly what: string;
  readonly message: string;
  /** Name of the token. */
  readonly by?: string;
  /** Address of the peer that sent the request. */
  readonly from?: string;
  /** As given with this request. */
  readonly reason?: string;
  readonly node?: string;
  readonly balancer?: string;
  /** Id of the change of an operator that the entry belongs to. */
  readonly changeId?: string;
  /** What the change has replaced, and what is in its place: only fields that differ. */
  readonly before?: object;
  readonly after?: object;
  /** `POST /v1/undo` with `changeId` can put back `before`. Absent: false. */
  readonly canUndo?: true;
}

/** Answer to `GET /v1/audit`: the newest entry first. */
export interface AuditPage {
  readonly entries: readonly AuditResource[];
  /** `after` of the next page, which may follow a page with few entries or none; absent: this is the last page. */
  readonly next?: string;
}

/** Body of `POST /v1/undo`. */
export interface UndoBody {
  /** Default: the last change of the token name of the request that is not undone yet. */
  readonly changeId?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
  /** Also when fewer eligible nodes are left than the budget of a balancer. Default false: 409. */
  readonly force?: boolean;
}
