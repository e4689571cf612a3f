/** States of a node in words and tones, the same in `nodes`, `node` and `top`. */
import { isPresent, type NodeResource, type ShownLiveness, type Status } from '@rollcall/protocol';
import type { Cell } from '../screen/fitted-table.ts';
import type { Tone } from '../screen/paint.ts';

/** Ratio of errors in percent: `0 %`, `0.4 %`, `62 %`. */
export function percentText(ratio: number): string {
  const percent = ratio * 100;
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

export function statusTone(status: Status): Tone | undefined {
  return status === 'enabled' ? undefined : 'warn';
}

export function livenessTone(liveness: ShownLiveness): Tone {
  if (liveness === 'up') return 'good';
  if (liveness === 'missing' || liveness === 'down') return 'bad';
  return liveness === 'gone' ? 'quiet' : 'warn';
}

/** `up`, `up, ejected`, `suspect, not ready`. */
export function livenessCell(node: NodeResource): Cell {
  const { liveness, isReady, flapping, observed } = node;
  const parts = [
    liveness,
    ...(isReady || !isPresent(node) ? [] : ['not ready']),
    ...(observed.isEjected ? ['ejected'] : []),
    ...(flapping
      ? [`flapping (${flapping.count} returns${flapping.heldUntilUnixMs === undefined ? '' : ', held down'})`]
      : []),
  ];
  const tone = observed.isEjected ? 'bad' : parts.length > 1 ? 'warn' : livenessTone(liveness);
  return { text: parts.join(', '), tone };
}

/**
 * Ratio of errors of about the last 30 seconds; `-` without requests. `!` marks a node that differs from the others of its balancer, also while
 * it is ejected and gets too few requests for a verdict.
 */
export function errorsCell({ observed: { recent, isEjected } }: NodeResource, isOutlier: boolean): Cell {
  // Coordinators of earlier releases have no recent figures.
  if (!recent || recent.requests < 0.5) return { text: '-', tone: 'quiet' };
  const text = percentText(recent.errorRatio);
  return isOutlier || (isEjected && recent.errorRatio > 0) ? { text: `${text} !`, tone: 'bad' } : { text };
}

/** Time until the response head, as the workers observe it; `-` when unknown. */
export function latencyCell({ observed: { latencyMs } }: NodeResource, isOutlier: boolean): Cell {
  if (!(latencyMs >= 0)) return { text: '-', tone: 'quiet' };
  const text = `${latencyMs < 10 ? latencyMs.toFixed(1) : Math.round(latencyMs)} ms`;
  return isOutlier ? { text: `${text} !`, tone: 'bad' } : { text };
}
