import type { Table } from '../output/table.ts';

/** The result of a measurement, for the report. */
export interface Measured {
  readonly tables: readonly Table[];
  /** Versions by contender. */
  readonly versions: Readonly<Record<string, string>>;
  /** All samples. */
  readonly data: object;
}
