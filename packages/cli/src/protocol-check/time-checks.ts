/** Sections 1.2, 4.3, 5 and 10: timeouts and rate limits. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Deviation, NotApplicable, PATIENCE_MS } from './bench.ts';
import type { Check } from './check.ts';
import { frameOf, OPCODE } from './raw-socket.ts';

const START = 1_600_000_000_000;
/** The check is skipped for a longer `suspectMs`, milliseconds. */
const LONGEST_SILENCE_MS = 10_000;
const FLOOD = 2_000;

export const TIME_CHECKS: readonly Check[] = [
  {
    id: 'register-timeout',
    section: '1.2',
    requires: 'A connection that does not register is closed with 4408 after 5 s.',
    takesMs: 8_000,
    async run(bench) {
      const peer = await bench.connect();
      const startedMs = performance.now();
      await peer.expectError('register-timeout');
      await peer.expectClose(4408);
      return `closed after ${Math.round(performance.now() - startedMs)} ms`;
    },
  },
  {
    id: 'silent-holder',
    section: '9',
    requires: 'Pings renew nothing: a node without heartbeats for suspectMs loses its id to an earlier process.',
    async run(bench) {
      const holder = await bench.connect();
      const { suspectMs } = await holder.register(await bench.node('a', { incarnation: START }));
      if (!(Number(suspectMs) <= LONGEST_SILENCE_MS)) throw new NotApplicable(`suspectMs is ${String(suspectMs)}`);
      const endMs = performance.now() + Number(suspectMs) * 1.5;
      while (performance.now() < endMs) {
        holder.socket.send({ opcode: OPCODE.ping, payload: 'x' });
        await sleep(200);
      }
      // A coordinator that was blocked extends the lease of the holder by that time.
      const givenUpMs = performance.now() + PATIENCE_MS;
      for (;;) {
        const earlier = await bench.connect();
        try {
          await earlier.register(await bench.node('a', { incarnation: START - 1 }));
          return 'the earlier process has the id';
        } catch (error) {
          if (performance.now() > givenUpMs) throw error;
          await sleep(500);
        }
      }
    },
  },
  {
    id: 'drained',
    section: '4.3',
    requires: 'A node that sends stopped gets drained when nothing is in flight.',
    async run(bench) {
      const peer = await bench.connect();
      await peer.register(await bench.node('a'));
      peer.send({ type: 'heartbeat', seq: 1 });
      peer.send({ type: 'status', status: 'stopped', reason: 'protocol-check', deadlineMs: PATIENCE_MS });
      try {
        await peer.expect('drained');
      } catch (error) {
        if (!peer.isUnreachable) throw error;
        throw new NotApplicable('the coordinator cannot connect to this machine');
      }
      return 'drained';
    },
  },
  {
    id: 'too-fast',
    section: '10',
    requires: 'A flood of messages gets too-fast and is closed with 1008; another connection is served.',
    async run(bench) {
      const peer = await bench.connect();
      await peer.register(await bench.node('a'));
      const beat = frameOf({ opcode: OPCODE.text, payload: '{"type":"heartbeat"}' });
      const flood = Buffer.concat(Array<Buffer>(FLOOD).fill(beat));
      peer.socket.write(flood);
      await peer.expectError('too-fast');
      const endMs = performance.now() + PATIENCE_MS / 2;
      while (!peer.socket.isOver && performance.now() < endMs) {
        peer.socket.write(flood);
        await sleep(100);
      }
      if (!peer.socket.isOver) throw new Deviation('too-fast, and the connection stays open');
      await peer.expectClose(1008);
      await (await bench.connect()).register(await bench.node('b'));
      return 'too-fast, closed with 1008';
    },
  },
];
