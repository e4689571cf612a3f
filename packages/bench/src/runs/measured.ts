import type { Table } from '../output/table.ts';

/** What a measurement hands over to be reported. */
export interface Measured {
  readonly tables: readonly Table[];
  /** Versions by contender. */
  readonly versions: Readonly<Record<string, string>>;
  /** All samples. */
  readonly data: object;
}
