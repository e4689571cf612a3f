/** Starts the client's process for a test, and reads its messages. */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { ClientMessage } from './client.ts';
import type { LiveCluster } from './cluster.ts';
import { readVisits } from './ledger.ts';
import type { Plan } from './schedule.ts';

/**
 * Messages of a child process by their type. `next` resolves with the last received message of this type, or the next one.
 * It rejects if the process ends before. `forget` discards the last message of a type.
 */
export function messagesOf<Message extends { readonly type: string }>(child: ChildProcess) {
  const waiting = new Map<string, (message: Message) => void>();
  const received = new Map<string, Message>();
  child.on('message', (message: Message) => {
    received.set(message.type, message);
    waiting.get(message.type)?.(message);
  });
  const next = <Type extends Message['type']>(type: Type): Promise<Extract<Message, { readonly type: Type }>> =>
    new Promise((resolve, reject) => {
      const known = received.get(type);
      if (known) resolve(known as Extract<Message, { readonly type: Type }>);
      waiting.set(type, (message) => resolve(message as Extract<Message, { readonly type: Type }>));
      child.once('exit', (code) => reject(new Error(`the client ended with ${code}`)));
    });
  return { next, forget: (type: Message['type']) => received.delete(type) };
}

/** Starts the client. The schedule of `plan` begins at its message `started`. */
export function startClient(cluster: LiveCluster, plan: Plan) {
  const file = join(cluster.dir, 'visits');
  return clientOf(cluster.script('client.ts', { proxyPort: cluster.proxyPort, plan, file }), file);
}

/** The client in the process `child`, which writes its visits to `file`. */
export function clientOf(child: ChildProcess, file: string) {
  const { next, forget } = messagesOf<ClientMessage>(child);
  return {
    next,
    async pause() {
      forget('idle');
      const idle = next('idle');
      child.send('pause');
      await idle;
    },
    resume: () => child.send('resume'),
    /** Begins the bursts of the plan. */
    burst: () => child.send('burst'),
    /** Resolves with the client's last message, when its schedule has ended. */
    finish() {
      child.send('finish');
      return next('done');
    },
    visits: () => readVisits(file),
  };
}
