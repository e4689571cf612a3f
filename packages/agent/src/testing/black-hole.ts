/** A port of loopback on which connects get no answer: the queue of its listener is full, and nothing is accepted. For tests. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Blocks its event loop after it listens, so that nothing is accepted. */
const LISTENER = `const s=require('node:net').createServer();s.listen({port:0,host:'127.0.0.1',backlog:1},()=>{
require('node:fs').writeSync(1,String(s.address().port));Atomics.wait(new Int32Array(new SharedArrayBuffer(4)),0,0)})`;
const MAX_FILLERS = 16;
/** A connect on loopback takes much less. */
const UNANSWERED_MS = 200;

export interface BlackHole {
  readonly port: number;
  close(): Promise<void>;
}

export async function startBlackHole(): Promise<BlackHole> {
  const child = spawn(process.execPath, ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [text] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(text.toString());
  const fillers: ReturnType<typeof connect>[] = [];
  for (let isFull = false; !isFull; ) {
    if (fillers.length >= MAX_FILLERS) throw new Error('the queue of the listener does not fill');
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    fillers.push(socket);
    isFull = await Promise.race([once(socket, 'connect').then(() => false), pause(UNANSWERED_MS, true)]);
  }
  return {
    port,
    async close() {
      for (const socket of fillers) socket.destroy();
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}
