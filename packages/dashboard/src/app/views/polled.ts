/** The answer of an operation, read again while a view shows it. */
import { useEffect, useState } from 'preact/hooks';
import { errorMessage } from '../admin-call.ts';

const PERIOD_MS = 2_000;

export interface Polled<Answer> {
  /** Absent until the first answer. */
  readonly answer?: Answer;
  /** Why the last read failed. */
  readonly trouble?: string;
}

/** `read` is called now, and two seconds after each answer. `key` identifies what is read. */
export function usePolled<Answer>(key: string, read: () => Promise<Answer>): Polled<Answer> {
  const [polled, setPolled] = useState<Polled<Answer>>({});
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = async (): Promise<void> => {
      const next = await read().then(
        (answer): Polled<Answer> => ({ answer }),
        (error: unknown): Polled<Answer> => ({ trouble: errorMessage(error) }),
      );
      if (isOver) return;
      setPolled(
        (last) => ({ ...last, ...next, ...(next.answer !== undefined && { trouble: undefined }) }) as Polled<Answer>,
      );
      timer = setTimeout(() => void again(), PERIOD_MS);
    };
    void again();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [key]);
  return polled;
}
