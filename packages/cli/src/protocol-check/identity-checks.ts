/** Sections 1.1, 3.4 and 9: which connection represents a node. */
import { Deviation } from './bench.ts';
import { type Check, named } from './check.ts';
import { frameOf, OPCODE } from './raw-socket.ts';

/** Starts of processes, Unix milliseconds: far enough in the past for every clock. */
const START = 1_600_000_000_000;

export const IDENTITY_CHECKS: readonly Check[] = [
  {
    id: 'same-instance-newest',
    section: '9',
    requires: 'A new connection of the same instance represents the node; the older one is closed with 4409.',
    async run(bench) {
      const [older, newer] = [await bench.connect(), await bench.connect()];
      const node = await bench.node('a', { incarnation: START });
      await older.register(node);
      await newer.register(node);
      return `the older one closed with ${await older.expectClose(4409)}`;
    },
  },
  {
    id: 'other-instance-higher',
    section: '9',
    requires: 'Another instance with a higher incarnation takes the id over; the holder gets superseded and 4409.',
    async run(bench) {
      const [holder, later] = [await bench.connect(), await bench.connect()];
      await holder.register(await bench.node('a', { incarnation: START }));
      await later.register(await bench.node('a', { incarnation: START + 1 }));
      await holder.expectError('superseded');
      return `the holder closed with ${await holder.expectClose(4409)}`;
    },
  },
  {
    id: 'other-instance-lower',
    section: '9',
    requires:
      'Another instance with a lower incarnation gets superseded with holderConnected, and 4409; the holder stays.',
    async run(bench) {
      const [holder, earlier] = [await bench.connect(), await bench.connect()];
      await holder.register(await bench.node('a', { incarnation: START }));
      earlier.send({ type: 'register', node: await bench.node('a', { incarnation: START - 1 }) });
      const error = await earlier.expectError('superseded');
      if (error['holderConnected'] !== true)
        throw new Deviation(`holderConnected is ${String(error['holderConnected'])}`);
      await earlier.expectClose(4409);
      await named('the holder', holder.expectNoComplaint());
      return 'superseded, and the holder stays';
    },
  },
  {
    id: 'other-instance-equal',
    section: '9',
    requires: 'Another instance with an equal incarnation gets id-taken and 4409; the holder stays.',
    async run(bench) {
      const [holder, other] = [await bench.connect(), await bench.connect()];
      await holder.register(await bench.node('a', { incarnation: START }));
      other.send({ type: 'register', node: await bench.node('a', { incarnation: START }) });
      await other.expectError('id-taken');
      await other.expectClose(4409);
      await named('the holder', holder.expectNoComplaint());
      return 'id-taken, and the holder stays';
    },
  },
  {
    id: 'superseded-speaks',
    section: '1.1',
    requires: 'Messages on a superseded connection change nothing.',
    async run(bench) {
      const [older, newer] = [await bench.connect(), await bench.connect()];
      const node = await bench.node('a', { incarnation: START });
      await older.register(node);
      await newer.register(node);
      for (const message of [{ type: 'status', status: 'stopped' }, { type: 'heartbeat', load: 1 }, { type: 'leave' }])
        older.send(message);
      await older.expectClose(4409);
      newer.send({ type: 'heartbeat' });
      await named('the newer connection', newer.expectNoComplaint());
      // If the leave had an effect, the id would be free for an earlier process.
      const earlier = await bench.connect();
      earlier.send({ type: 'register', node: await bench.node('a', { incarnation: START - 1 }) });
      await named('an earlier process', earlier.expectError('superseded'));
      return 'the newer connection still holds the id';
    },
  },
  {
    id: 'leave-then-heartbeat',
    section: '3.4',
    requires: 'leave closes with 1000, and a heartbeat sent behind it does not bring the node back.',
    async run(bench) {
      const peer = await bench.connect();
      await peer.register(await bench.node('a', { incarnation: START }));
      const frames = ['{"type":"leave"}', '{"type":"heartbeat","seq":1}'].map((payload) =>
        frameOf({ opcode: OPCODE.text, payload }),
      );
      peer.socket.write(Buffer.concat(frames));
      await peer.expectClose(1000);
      const earlier = await bench.connect();
      await named('an earlier process', earlier.register(await bench.node('a', { incarnation: START - 1 })));
      return 'the id is free';
    },
  },
  {
    id: 'route-taken',
    section: '9',
    requires:
      'The route of a present node is refused to another one with route-taken and 4409; after leave it is free.',
    async run(bench) {
      const route = `${bench.prefix}-route`;
      const [holder, other] = [await bench.connect(), await bench.connect()];
      await holder.register(await bench.node('a', { route }));
      const node = await bench.node('b', { route });
      other.send({ type: 'register', node });
      const error = await other.expectError('route-taken');
      if (!String(error['message']).includes(`${bench.prefix}-a`))
        throw new Deviation(`the message does not name the holder: ${String(error['message'])}`);
      await other.expectClose(4409);
      holder.send({ type: 'leave' });
      await holder.expectClose(1000);
      await (await bench.connect()).register(node);
      return 'route-taken, naming the holder; free after leave';
    },
  },
  {
    id: 'address-taken',
    section: '9',
    requires: 'The address of a node that sends heartbeats is refused to another node with address-taken and 4409.',
    async run(bench) {
      const [holder, other] = [await bench.connect(), await bench.connect()];
      const node = await bench.node('a');
      await holder.register(node);
      other.send({ type: 'register', node: await bench.node('b', { url: node['url'] }) });
      await other.expectError('address-taken');
      return `closed with ${await other.expectClose(4409)}`;
    },
  },
];
