/**
 * Starts `up --mcmp-advertise` on a network of its own, receives its datagrams as a node does, and prints what has arrived. Started in a
 * sandbox (`../faults/sandbox.ts`). Ends when its standard input does.
 */
import { execFileSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sendMcmp } from '../site/mcmp-message.ts';
import { startUp } from './up.ts';

/** Result of the script. */
export interface Advertised {
  /** Until the end of `up`. */
  readonly datagrams: readonly string[];
  /** Address of the sender, of the first datagram. */
  readonly from: string;
  /** Answer at the address that the first datagram names. */
  readonly answer: string;
}

const GROUP = { host: '239.77.1.105', port: 23_364 };
/** Without a route to the group, so that only the named interface can send. */
const NETWORKS = { other: '10.78.0.1', named: '10.77.0.1' };

process.stdin.resume();
process.stdin.on('end', () => process.exit(1));
const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('advertised-up.ts FOLDER');
process.stdout.write(JSON.stringify(await advertised(folder)), () => process.exit(0));

async function advertised(directory: string): Promise<Advertised> {
  addNetworks();
  const keyFile = join(directory, 'key');
  writeFileSync(keyFile, 'secret\n');
  const named = await receiverOn(NETWORKS.named);
  const datagrams: string[] = [];
  let from = '';
  named.on('message', (octets, sender) => {
    from ||= sender.address;
    datagrams.push(octets.toString());
  });
  const first = once(named, 'message');
  const up = await startUp(
    ...['--mcmp', '0.0.0.0:6666', '--mcmp-allow', '10.77.0.0/24'],
    ...['--mcmp-advertise', `${GROUP.host}:${GROUP.port}`, '--mcmp-advertise-interface', NETWORKS.named],
    ...['--mcmp-advertise-key-file', keyFile],
  );
  await first;
  await once(named, 'message');
  const answer = await sendMcmp(6_666, { method: 'PING', route: '', host: NETWORKS.named });
  const end = new Promise<void>((resolve) => {
    named.on('message', (octets) => {
      if (octets.toString().startsWith('HTTP/1.0 410')) resolve();
    });
  });
  await up.close();
  await end;
  named.close();
  return { datagrams, from, answer };
}

/** Two networks, each with one address of this machine. */
function addNetworks(): void {
  const ip = (...words: string[]): void => void execFileSync('ip', words);
  ip('link', 'set', 'lo', 'up');
  for (const [at, [name, address]] of Object.entries(NETWORKS).entries()) {
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `peer${at}`);
    ip('address', 'add', `${address}/24`, 'dev', name);
    for (const device of [name, `peer${at}`]) ip('link', 'set', device, 'up');
  }
}

/** Receives the group on the interface of `address`. */
async function receiverOn(address: string): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.bind(GROUP.port, GROUP.host);
  await once(socket, 'listening');
  socket.addMembership(GROUP.host, address);
  return socket;
}
