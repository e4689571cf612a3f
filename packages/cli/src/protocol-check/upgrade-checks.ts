/** Section 1: admission and upgrade. */
import { Deviation, NotApplicable } from './bench.ts';
import type { Check } from './check.ts';
import type { Upgrade } from './raw-socket.ts';

export const UPGRADE_CHECKS: readonly Check[] = [
  {
    id: 'upgrade-accepted',
    section: '1',
    requires: 'An upgrade that offers rollcall.v1 is accepted and names this subprotocol.',
    async run(bench) {
      const { status, headers } = await bench.upgrade();
      if (status === 401 || status === 403)
        throw new Deviation(`HTTP ${status}: set ROLLCALL_JOIN_TOKEN to a token that may join`);
      if (status !== 101) throw new Deviation(`HTTP ${status}`);
      const chosen = headers['sec-websocket-protocol'];
      if (chosen !== 'rollcall.v1') throw new Deviation(`subprotocol ${chosen ?? 'none'}`);
      return '101 with rollcall.v1';
    },
  },
  {
    id: 'upgrade-several-versions',
    section: '12',
    requires: 'Of several offered versions the coordinator chooses one that it knows.',
    async run(bench) {
      const { status, headers } = await bench.upgrade({ protocols: ['rollcall.v999', 'rollcall.v1'] });
      if (status !== 101) throw new Deviation(`HTTP ${status}`);
      const chosen = headers['sec-websocket-protocol'];
      if (chosen !== 'rollcall.v1') throw new Deviation(`subprotocol ${chosen ?? 'none'}`);
      return 'rollcall.v1 chosen';
    },
  },
  {
    id: 'upgrade-unknown-version',
    section: '1',
    requires: 'An upgrade without a common version is refused with 426.',
    run: async (bench) => refused(await bench.upgrade({ protocols: ['rollcall.v999'] }), 426),
  },
  {
    id: 'upgrade-no-version',
    section: '1',
    requires: 'An upgrade without a subprotocol is refused with 426.',
    run: async (bench) => refused(await bench.upgrade({ protocols: [] }), 426),
  },
  {
    id: 'upgrade-origin',
    section: '1',
    requires: 'An upgrade with Origin is refused with 403.',
    run: async (bench) => refused(await bench.upgrade({ headers: { origin: 'http://site.invalid' } }), 403),
  },
  {
    id: 'upgrade-wrong-token',
    section: '1',
    requires: 'A token that is not known is refused with 401.',
    run: async (bench) => refused(await bench.upgrade({ token: 'protocol-check-wrong-token' }), 401),
  },
  {
    id: 'upgrade-no-token',
    section: '1',
    requires: 'Where a token is needed, an upgrade without one is refused with 401.',
    async run(bench) {
      if (bench.target.token === undefined)
        throw new NotApplicable('the coordinator admits this machine without a token');
      return refused(await bench.upgrade({ token: undefined }), 401);
    },
  },
  {
    id: 'upgrade-token-in-url',
    section: '1',
    requires: 'A URL with a query is not accepted: tokens do not belong into URLs.',
    async run(bench) {
      const { status } = await bench.upgrade({ query: '?token=protocol-check', token: undefined });
      if (status === 101) throw new Deviation('the upgrade was accepted');
      return `HTTP ${status}`;
    },
  },
  {
    id: 'upgrade-no-compression',
    section: '1',
    requires: 'An offer of permessage-deflate is ignored.',
    async run(bench) {
      const { status, headers } = await bench.upgrade({
        headers: { 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' },
      });
      if (status !== 101) throw new Deviation(`HTTP ${status}`);
      const extensions = headers['sec-websocket-extensions'];
      if (extensions !== undefined) throw new Deviation(`extensions ${extensions}`);
      return 'no extension';
    },
  },
];

function refused({ status }: Upgrade, expected: number): string {
  if (status === expected) return `HTTP ${status}`;
  throw new Deviation(status === 101 ? 'the upgrade was accepted' : `HTTP ${status} instead of ${expected}`);
}
