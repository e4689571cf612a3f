/** Resolves when a counter has not changed for some turns of the loop. */
export async function still(read: () => number): Promise<void> {
  for (let same = 0, last = -1; same < 200; same++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (read() !== last) same = 0;
    last = read();
  }
}
