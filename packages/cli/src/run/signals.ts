/** Signals to a wrapper: the first asks for an orderly end, the second for an end at once. */
export interface Stoppable {
  stop(reason: string): Promise<void>;
  kill(): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Hands signals to `target` until the returned function is called. */
export function onEndSignals(target: Stoppable): () => void {
  let isFirst = true;
  const listener = (signal: NodeJS.Signals) => {
    if (isFirst) void target.stop(signal);
    else target.kill();
    isFirst = false;
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return () => {
    for (const signal of SIGNALS) process.off(signal, listener);
  };
}
