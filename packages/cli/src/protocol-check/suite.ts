/** Runs all checks in sequence, with a bystander node that must not be affected. */
import { Bench, Deviation, NotApplicable, PATIENCE_MS, type Peer, type Target } from './bench.ts';
import type { Check } from './check.ts';
import { FRAME_CHECKS } from './frame-checks.ts';
import { IDENTITY_CHECKS } from './identity-checks.ts';
import { REGISTRATION_CHECKS } from './registration-checks.ts';
import { TIME_CHECKS } from './time-checks.ts';
import { UPGRADE_CHECKS } from './upgrade-checks.ts';

export type Outcome = 'passed' | 'failed' | 'skipped';

export interface CheckResult {
  readonly id: string;
  /** Section of PROTOCOL.md. */
  readonly section: string;
  readonly requires: string;
  readonly outcome: Outcome;
  /** The observation, or the reason why the check was skipped. */
  readonly seen: string;
  readonly ms: number;
}

/** Time limit of the run, milliseconds. The remaining checks are skipped. */
export const TIME_LIMIT_MS = 120_000;

/** Number of failed checks after which the time limit of a wait is shorter: such a coordinator is wrong, not slow. */
const HOPELESS = 5;
const SHORT_PATIENCE_MS = 2_000;

export const CHECKS: readonly Check[] = [
  ...UPGRADE_CHECKS,
  ...FRAME_CHECKS,
  ...REGISTRATION_CHECKS,
  ...IDENTITY_CHECKS,
  ...TIME_CHECKS,
];

/** Errors for a valid node which show that the token or the state of the cluster prevents the check. */
const NOT_LET_IN = /^error (?:context-taken|forbidden|id-owned|too-many-nodes) /;

/** Reported last: its node is registered during all other checks. */
const BYSTANDER = {
  id: 'bystander',
  section: '10',
  requires: 'What one connection does wrong never ends or disturbs another one.',
} as const;

/** Never rejects: an error is a failed check. `onResult` gets each result immediately. */
export async function runSuite(
  target: Target,
  onResult: (result: CheckResult) => void,
  timeLimitMs: number = TIME_LIMIT_MS,
): Promise<readonly CheckResult[]> {
  const endMs = performance.now() + timeLimitMs;
  let patienceMs = PATIENCE_MS;
  let takesMs = 0;
  const leftMs = () => endMs - performance.now();
  const waitMs = () => Math.max(1, Math.min(Math.max(patienceMs, takesMs), leftMs()));
  const noSense = (): string | undefined => {
    if (results[0]?.outcome === 'failed') return 'no connection can be made';
    if (bystander.isNotLetIn) return 'no node of the check is let in';
    return leftMs() <= 0 ? `${timeLimitMs / 1_000} s are over` : undefined;
  };
  const results: CheckResult[] = [];
  const add = (result: CheckResult) => {
    results.push(result);
    onResult(result);
  };
  const bench = new Bench(target, waitMs);
  const besides = new Bench(target, waitMs);
  const bystander = new Bystander();
  for (const check of CHECKS) {
    if (results.length === 1 && results[0]!.outcome === 'passed') await bystander.start(besides);
    const seen = noSense();
    if (seen !== undefined) {
      add({ ...described(check), outcome: 'skipped', seen, ms: 0 });
      continue;
    }
    takesMs = check.takesMs ?? 0;
    add(await tryOut(check, bench));
    await bench.cleanUp();
    if (results.filter(({ outcome }) => outcome === 'failed').length >= HOPELESS) patienceMs = SHORT_PATIENCE_MS;
  }
  add({ ...BYSTANDER, ...bystander.verdict(), ms: 0 });
  bystander.stop();
  await besides.cleanUp();
  return results;
}

function described({ id, section, requires }: Check): Pick<CheckResult, 'id' | 'section' | 'requires'> {
  return { id, section, requires };
}

async function tryOut(check: Check, bench: Bench): Promise<CheckResult> {
  const startedMs = performance.now();
  const done = (outcome: Outcome, seen: string): CheckResult => ({
    ...described(check),
    outcome,
    seen,
    ms: Math.round(performance.now() - startedMs),
  });
  try {
    return done('passed', await check.run(bench));
  } catch (error) {
    if (error instanceof NotApplicable) return done('skipped', error.message);
    if (error instanceof Deviation) return done('failed', error.message);
    return done('failed', error instanceof Error ? error.message : String(error));
  }
}

/** A well-behaved node that watches for messages that it must not receive. */
class Bystander {
  #peer: Peer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #trouble: string | undefined = 'it was not registered';
  #isWatching = false;

  async start(bench: Bench): Promise<void> {
    try {
      const peer = await bench.connect();
      const { heartbeatMs } = await peer.register(await bench.node('bystander'));
      this.#peer = peer;
      this.#trouble = undefined;
      this.#timer = setInterval(() => peer.send({ type: 'heartbeat' }), Number(heartbeatMs));
      this.#isWatching = true;
      void this.#watch(peer);
    } catch (error) {
      this.#trouble = error instanceof Error ? error.message : String(error);
    }
  }

  /** The check cannot run with this token on this cluster; the verdict has the reason. */
  get isNotLetIn(): boolean {
    return this.#peer === undefined && NOT_LET_IN.test(this.#trouble ?? '');
  }

  verdict(): { readonly outcome: Outcome; readonly seen: string } {
    if (this.isNotLetIn)
      return {
        outcome: 'failed',
        seen: `${this.#trouble}. The check needs a token without bindings, and a cluster whose contexts on all hosts (\`*\`) are of this token`,
      };
    if (this.#trouble !== undefined) return { outcome: this.#peer ? 'failed' : 'skipped', seen: this.#trouble };
    return { outcome: 'passed', seen: 'a node beside the other checks stayed registered' };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#isWatching = false;
  }

  async #watch({ socket }: Peer): Promise<void> {
    while (this.#isWatching) {
      const received = await socket.next(250);
      if (received === undefined || received.type === 'pong') continue;
      if (!this.#isWatching) return;
      if (received.type !== 'message') {
        this.#trouble ??= received.type === 'close' ? `closed with ${received.code}` : 'its connection was cut';
        return;
      }
      const { type, code, message } = JSON.parse(received.text) as Record<string, unknown>;
      if (type === 'error' && code !== 'unreachable') this.#trouble ??= `error ${String(code)}: ${String(message)}`;
    }
  }
}
