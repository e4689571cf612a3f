import type { ProblemKind, ProblemLevel } from '@rollcall/protocol';

/** A sentence for operators, with its full stop. It names the remedy where there is one. */
export interface Notice {
  readonly kind: ProblemKind;
  readonly level: ProblemLevel;
  readonly sentence: string;
}
