/**
 * Cost of counting the session of a request, and error of the counts. Not a test: prints figures for the README.
 *
 *   node --conditions=@rollcall/source --import ./.tools/typescript.mjs test/measure/active-sessions.ts
 */
import { NodeSessions } from '@rollcall/core';

const IDLE_MS = 1_800_000;
const REQUESTS = 4_000_000;

for (const total of [100, 10_000, 32_000, 300_000]) {
  const ids = Array.from(
    { length: total },
    (_, i) => `${(i * 2_654_435_761).toString(36).padStart(16, 'x')}.shop-3f2a91`,
  );
  const sessions = new NodeSessions(IDLE_MS, 1);
  const run = (): void => {
    for (let i = 0; i < REQUESTS; i++) sessions.see(ids[i % total]!, i / 1_000);
  };
  run();
  const startMs = performance.now();
  run();
  const ns = ((performance.now() - startMs) * 1e6) / REQUESTS;
  console.log(`see(): ${ns.toFixed(0)} ns per request with ${total} sessions of ${ids[0]!.length} characters`);
}
for (const total of [20_000, 33_000, 66_000, 100_000, 300_000]) {
  const errors: number[] = [];
  for (let population = 0; population < 100; population++) {
    const sessions = new NodeSessions(IDLE_MS, 1);
    for (let i = 0; i < total; i++) sessions.see(`p${population}-${i}.node-1`, 0);
    errors.push(Math.abs(sessions.again(0) / total - 1) * 100);
  }
  errors.sort((one, other) => one - other);
  const within = errors.filter((error) => error <= 2).length;
  console.log(
    `${total} sessions: ${within} of 100 populations within 2 %, 95 within ${errors[94]!.toFixed(2)} %, worst ${errors[99]!.toFixed(2)} %`,
  );
}
