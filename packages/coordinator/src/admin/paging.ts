/** Lists in pages: at most 1,000 entries per answer, in order of name, and where the next page begins. */
import { Refusal } from './refusal.ts';

/** Upper bound of the entries in an answer; also the default of `limit`. */
export const MAX_PAGE = 1_000;

/** Query of a list. */
export interface PageQuery {
  /** Upper bound of the entries in the answer, 1–1,000. */
  readonly limit?: string;
  /** Only entries after this name: `next` of the previous page. */
  readonly after?: string;
}

/** `limit` of a query as a number. Throws a Refusal that names the bound. */
export function limitOf({ limit }: PageQuery): number {
  if (limit === undefined) return MAX_PAGE;
  const count = /^\d{1,9}$/.test(limit) ? Number(limit) : Number.NaN;
  if (count >= 1 && count <= MAX_PAGE) return count;
  throw new Refusal({
    code: 'bad-field',
    message: `limit is not a whole number from 1 to ${MAX_PAGE}; pages after the first begin at ?after=NEXT`,
  });
}
