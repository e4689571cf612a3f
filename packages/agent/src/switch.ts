/** Value of `ROLLCALL_URL` that switches the SDK off. */
const OFF = 'off';

/** Detects test runners by their variables: a program under test is not a node of a cluster. */
const TEST_RUNNERS: readonly ((environment: Environment) => boolean)[] = [
  ({ NODE_ENV }) => NODE_ENV === 'test',
  ({ JEST_WORKER_ID }) => Boolean(JEST_WORKER_ID),
  ({ VITEST }) => Boolean(VITEST),
];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Whether the environment switches the SDK off: `ROLLCALL_URL=off`, or a test runner where neither `ROLLCALL_URL` nor
 * `ROLLCALL_NODE` is set. An empty variable is unset.
 */
export function isSwitchedOff(environment: Environment): boolean {
  const url = environment['ROLLCALL_URL']?.trim();
  if (url?.toLowerCase() === OFF) return true;
  const isMeant = Boolean(url) || Boolean(environment['ROLLCALL_NODE']);
  return !isMeant && TEST_RUNNERS.some((isIn) => isIn(environment));
}
