import type { Lane } from './lane.fixture.ts';

/** Runs a test with a lane and closes the lane after it, also if the test fails. */
export async function withLane(lane: Promise<Lane>, run: (lane: Lane) => Promise<void>): Promise<void> {
  const started = await lane;
  try {
    await run(started);
  } finally {
    await started.close();
  }
}
