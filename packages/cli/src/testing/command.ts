/** Runs a command in the process of the test. */
import { PassThrough } from 'node:stream';
import { main } from '../main.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as JSON; throws if it is not JSON. */
  json<Body>(): Body;
}

export interface Surroundings {
  /** Variables besides those of this process. Its `ROLLCALL_` variables are not visible to the command. */
  readonly env?: Readonly<Record<string, string>>;
  /** Text on standard input. Default: none. */
  readonly input?: string;
  /** Whether standard input is a terminal. Default false. */
  readonly isTerminal?: boolean;
}

/** Runs `rollcall WORD…` and restores output, input, environment and exit code of this process. One command at a time. */
export async function command(
  words: readonly string[],
  { env = {}, input, isTerminal = false }: Surroundings = {},
): Promise<Ran> {
  const out = captured(process.stdout);
  const err = captured(process.stderr);
  const stdin = Object.getOwnPropertyDescriptor(process, 'stdin')!;
  const { env: environment, exitCode } = process;
  const errorListeners = [process.stdout, process.stderr].map((stream) => stream.listeners('error'));
  Object.defineProperty(process, 'stdin', { ...given(input, isTerminal), configurable: true });
  process.env = { ...withoutOwnVariables(environment), ...env };
  process.exitCode = undefined;
  try {
    await main(['node', 'rollcall', ...words], (text) => void process.stderr.write(text));
    const [stdout, stderr, code] = [out.text(), err.text(), Number(process.exitCode ?? 0)];
    return { code, stdout, stderr, json: <Body>() => JSON.parse(stdout) as Body };
  } finally {
    out.restore();
    err.restore();
    Object.defineProperty(process, 'stdin', stdin);
    process.env = environment;
    process.exitCode = exitCode;
    for (const [i, stream] of [process.stdout, process.stderr].entries())
      for (const listener of stream.listeners('error'))
        if (!errorListeners[i]!.includes(listener)) stream.off('error', listener as () => void);
  }
}

/** Collects text that is written to a stream. The runner of the tests writes buffers, which pass. */
function captured(stream: NodeJS.WriteStream): { text(): string; restore(): void } {
  const { write } = stream;
  let text = '';
  const collect = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    if (typeof chunk !== 'string') return (write as (...all: unknown[]) => boolean).call(stream, chunk, ...rest);
    text += chunk;
    return true;
  };
  stream.write = collect as typeof stream.write;
  return {
    text: () => text,
    restore: () => {
      stream.write = write;
    },
  };
}

function given(input: string | undefined, isTerminal: boolean): { readonly value: NodeJS.ReadableStream } {
  const stream = new PassThrough();
  stream.end(input ?? '');
  return { value: Object.assign(stream, { isTTY: isTerminal }) };
}

function withoutOwnVariables(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('ROLLCALL_')));
}
