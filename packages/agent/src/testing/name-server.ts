/** A name server on a free UDP port of loopback that answers questions for SRV records from a table. For tests. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { ServiceRecord } from '../coordinator-url.ts';

const HEADER_OCTETS = 12;
const SRV = 33;
const IN = 1;
const ANSWER_FLAGS = 0x8180;
const NAME_ERROR_FLAGS = 0x8183;

export interface NameServer {
  /** `HOST:PORT`, as `Resolver.setServers` takes it. */
  readonly address: string;
  /** The records of each name. A name that is missing does not exist. */
  readonly records: Map<string, readonly ServiceRecord[]>;
  close(): Promise<void>;
}

export async function startNameServer(): Promise<NameServer> {
  const records = new Map<string, readonly ServiceRecord[]>();
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const answer = answerTo(query, records);
    if (answer !== undefined) socket.send(answer, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    records,
    async close() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}

function answerTo(query: Buffer, table: ReadonlyMap<string, readonly ServiceRecord[]>): Buffer | undefined {
  const labels: string[] = [];
  let at = HEADER_OCTETS;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > 63) return undefined;
    at += 1;
    if (length === 0) break;
    labels.push(query.toString('latin1', at, at + length));
    at += length;
  }
  const end = at + 4;
  if (query.length < end) return undefined;
  const known = table.get(labels.join('.').toLowerCase());
  const records = query.readUInt16BE(at) === SRV ? (known ?? []) : [];
  const header = Buffer.alloc(HEADER_OCTETS);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(known === undefined ? NAME_ERROR_FLAGS : ANSWER_FLAGS, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, query.subarray(HEADER_OCTETS, end), ...records.map(encoded)]);
}

function encoded({ name, port, priority, weight }: ServiceRecord): Buffer {
  const target = name.split('.').map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
  const data = Buffer.concat([Buffer.alloc(6), ...target, Buffer.alloc(1)]);
  data.writeUInt16BE(priority, 0);
  data.writeUInt16BE(weight, 2);
  data.writeUInt16BE(port, 4);
  // A pointer to the name in the question.
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc000 + HEADER_OCTETS, 0);
  head.writeUInt16BE(SRV, 2);
  head.writeUInt16BE(IN, 4);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
