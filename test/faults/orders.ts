/** Orders to a sample node, over its socket, and waiting for a condition. */
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { nowMs } from '../live-cluster/instant.ts';
import type { SampleOrder, SampleState } from './programs/sample-answer.ts';

/** Many drills start their processes at the same time, and a slow machine takes long for that. */
const WAIT_MS = 180_000;
const PAUSE_MS = 20;

/** Sends an order to the socket at `path`; rejects when no program listens there. */
export function sendOrder(path: string, order: SampleOrder): Promise<SampleState> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path, () => socket.write(JSON.stringify(order)));
    let text = '';
    socket.on('data', (chunk) => {
      text += String(chunk);
    });
    socket.on('end', () => resolve(JSON.parse(text) as SampleState));
    socket.on('error', reject);
  });
}

/** Repeats `isSo` until it holds; rejects after `WAIT_MS`. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = nowMs() + WAIT_MS;
  while (!(await isSo())) {
    if (nowMs() > endMs) throw new Error(`waited ${WAIT_MS} ms for ${what}`);
    await pause(PAUSE_MS);
  }
}
