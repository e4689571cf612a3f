import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StickySample } from '@rollcall/feed';
import {
  FIRST_ROUTE_COOKIE,
  parseBalancerName,
  parseNodeId,
  parseRoute,
  type StickySettings,
} from '@rollcall/protocol';
import { StickyFindings } from './sticky-findings.ts';

const SHOP = parseBalancerName('shop')!;
const SETTINGS: StickySettings = {
  mode: 'suffix',
  cookies: ['a'],
  parameters: [],
  failover: 'any',
  remove: false,
  movable: false,
  routeCookie: FIRST_ROUTE_COOKIE,
};
const NOTHING: StickySample = {
  balancer: SHOP,
  routed: 0,
  unrouted: 0,
  other: 0,
  strange: 0,
  opened: 0,
  renewed: 0,
  foreign: 0,
  foreignRouted: 0,
  returned: 0,
  refused: 0,
  fresh: 0,
  routeless: 0,
  writes: [],
};
const [N1, N2] = [parseNodeId('n1')!, parseNodeId('n2')!];
const [R1, R2, OLD] = [parseRoute('r1')!, parseRoute('r2')!, parseRoute('old')!];

class Scene {
  readonly findings = new StickyFindings();

  constructor() {
    this.findings.configure(SHOP, SETTINGS, 5);
  }

  /** `+problem` and `-problem`, in order. */
  tell(sample: Partial<StickySample>, worker = 'w1', revision = 5): string[] {
    const news = this.findings.take(worker, revision, { ...NOTHING, ...sample }, ({ node, route }) => ({
      node,
      writes: route,
      registered: node === N1 ? R1 : R2,
      owner: route === R1 ? N1 : undefined,
    }));
    return news.map(({ isOn, finding }) => `${isOn ? '+' : '-'}${finding.problem}`);
  }

  found(): string[] {
    return this.findings.all().map(({ problem, bad, of }) => `${problem} ${bad}/${of}`);
  }
}

void test('a problem is found at more than half of at least ten, reported once, and over at a quarter', () => {
  const scene = new Scene();
  assert.deepEqual(scene.tell({ unrouted: 9 }), []);
  assert.deepEqual(scene.tell({ unrouted: 5, routed: 5 }), []);
  assert.deepEqual(scene.tell({ unrouted: 6, routed: 5, name: 'a' }), ['+no-route']);
  assert.deepEqual(scene.tell({ unrouted: 7, routed: 5 }), []);
  assert.deepEqual(scene.tell({ unrouted: 7, routed: 20 }), []);
  assert.deepEqual(scene.found(), ['no-route 7/27']);
  assert.deepEqual(scene.tell({ unrouted: 7, routed: 21 }), ['-no-route']);
  assert.deepEqual(scene.found(), []);
  assert.deepEqual(scene.tell({ unrouted: 30, routed: 21 }), ['+no-route']);
});

void test('ids that replace others are a problem from three of four on; a login for each visitor is none', () => {
  const scene = new Scene();
  assert.deepEqual(scene.tell({ opened: 50, renewed: 50 }), []);
  assert.deepEqual(scene.tell({ opened: 25, renewed: 75 }), []);
  assert.deepEqual(scene.tell({ opened: 9, renewed: 91 }), ['+changing-ids']);
  assert.deepEqual(scene.tell({ opened: 49, renewed: 51 }), []);
  assert.deepEqual(scene.tell({ opened: 50, renewed: 50 }), ['-changing-ids']);
});

void test('without data a finding stays', () => {
  const scene = new Scene();
  assert.deepEqual(scene.tell({ unrouted: 20 }), ['+no-route']);
  assert.deepEqual(scene.tell({}), []);
  assert.deepEqual(scene.tell({ routed: 9 }), []);
  assert.deepEqual(scene.found(), ['no-route 20/20']);
  assert.deepEqual(scene.tell({ routed: 10 }), ['-no-route']);
});

void test('all workers are judged together, and one that is gone does not count', () => {
  const scene = new Scene();
  assert.deepEqual(scene.tell({ unrouted: 6 }, 'w1'), []);
  assert.deepEqual(scene.tell({ unrouted: 6 }, 'w2'), ['+no-route']);
  scene.findings.forget('w2');
  assert.deepEqual(scene.tell({ routed: 12 }, 'w1'), ['-no-route']);
});

void test('one node of many that writes a wrong route is enough, with its name', () => {
  const scene = new Scene();
  assert.deepEqual(scene.tell({ routed: 97, other: 2, writes: [{ node: N2, route: OLD }] }), []);
  assert.deepEqual(scene.tell({ routed: 90, other: 10, writes: [{ node: N2, route: OLD }] }), ['+other-route']);
  assert.deepEqual(scene.findings.all()[0]?.writes, [{ node: N2, writes: OLD, registered: R2, owner: undefined }]);
  assert.deepEqual(scene.tell({ routed: 90, strange: 10, writes: [{ node: N2, route: R1 }] }), [
    '-other-route',
    '+same-route',
  ]);
  assert.deepEqual(scene.findings.all()[0]?.writes, [{ node: N2, writes: R1, registered: R2, owner: N1 }]);
});

void test('another cookie is a problem only while the configured one does not come, or when it carries the routes', () => {
  const scene = new Scene();
  assert.deepEqual(scene.tell({ foreign: 10, routed: 1 }), []);
  assert.deepEqual(scene.tell({ foreign: 10, foreignName: 'sid' }), ['+cookie-name']);
  assert.deepEqual([scene.findings.all()[0]?.name, scene.findings.all()[0]?.cookies], ['sid', ['a']]);
  assert.deepEqual(scene.tell({ foreign: 10, routed: 10 }), ['-cookie-name']);
  assert.deepEqual(scene.tell({ foreignRouted: 10, unrouted: 1 }), ['+cookie-name']);
});

void test('visitors without cookies are counted apart', () => {
  const scene = new Scene();
  assert.deepEqual(scene.tell({ returned: 10, refused: 10 }), []);
  assert.deepEqual(scene.tell({ returned: 10, refused: 11 }), ['+no-cookies']);
  assert.deepEqual(scene.tell({ returned: 60, refused: 11 }), ['-no-cookies']);
});

void test('other settings end the findings, and earlier samples are ignored', () => {
  const scene = new Scene();
  scene.tell({ unrouted: 20 });
  assert.deepEqual(scene.findings.configure(SHOP, { ...SETTINGS }, 6), []);
  const over = scene.findings.configure(SHOP, { ...SETTINGS, mode: 'insert' }, 7);
  assert.deepEqual(
    over.map(({ problem }) => problem),
    ['no-route'],
  );
  assert.deepEqual(scene.tell({ unrouted: 20 }, 'w1', 6), []);
  assert.deepEqual(scene.found(), []);
});

void test('a fifth of new sessions with a session cookie of the application is a lost route, a tenth is not', () => {
  const scene = new Scene();
  assert.deepEqual(scene.tell({ fresh: 90, routeless: 10, routelessName: 'a' }), []);
  assert.deepEqual(scene.tell({ fresh: 79, routeless: 21, routelessName: 'a' }), ['+route-lost']);
  const [finding] = scene.findings.all();
  assert.deepEqual([finding?.name, finding?.bad, finding?.of, finding?.routeCookie.name], ['a', 21, 100, 'rc_route']);
  assert.deepEqual(scene.tell({ fresh: 85, routeless: 15 }), []);
  assert.deepEqual(scene.tell({ fresh: 90, routeless: 10 }), ['-route-lost']);
});
