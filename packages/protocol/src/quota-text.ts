/** Text of a refusal by a quota: the present use, the limit, and the setting that changes it. */
import type { QuotaName } from './admin.ts';

export interface QuotaRefusal {
  /** Holder with its verb: `token shop has`. */
  readonly holder: string;
  readonly used: number;
  readonly limit: number;
  /** Counted things, in the plural: `nodes`. */
  readonly what: string;
  /** Use if the request were accepted; absent when that is one more. */
  readonly next?: number;
  /** Absent: no setting changes the limit. */
  readonly quota?: QuotaName;
}

/** For example ``token shop has 1,000 of 1,000 nodes (`up --quota nodes=N`)``. */
export function quotaText({ holder, used, limit, what, next, quota }: QuotaRefusal): string {
  const wanted = next === undefined ? '' : ` and would have ${count(next)}`;
  const setting = quota === undefined ? '' : ` (\`up --quota ${quota}=N\`)`;
  return `${holder} ${count(used)} of ${count(limit)} ${what}${wanted}${setting}`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
