/** Shown while no node was ever known. */
import { CopyText } from '../frame/copy-text.tsx';

export function EmptyCluster() {
  return (
    <section class="panel empty">
      <h2>No nodes yet</h2>
      <p>Start a program as a node:</p>
      <CopyText text={`rollcall run --coordinator ${location.origin} -- YOUR PROGRAM {port}`} />
    </section>
  );
}
