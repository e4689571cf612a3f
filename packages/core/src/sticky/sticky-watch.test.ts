import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StickySample } from '@rollcall/feed';
import {
  FIRST_ROUTE_COOKIE,
  type NodeId,
  parseBalancerName,
  parseNodeId,
  type StickySettings,
} from '@rollcall/protocol';
import { StickyWatch, type WatchedRoute } from './sticky-watch.ts';

const SHOP = parseBalancerName('shop')!;
const SETTINGS: StickySettings = {
  mode: 'suffix',
  cookies: ['JSESSIONID', 'connect.sid'],
  parameters: ['_s'],
  failover: 'any',
  remove: false,
  movable: false,
  routeCookie: FIRST_ROUTE_COOKIE,
};
const ONE = { id: parseNodeId('n1') as NodeId, route: 'r1' };
const TWO = { id: parseNodeId('n2') as NodeId, route: 'r2' };
const ROUTES = new Map<string, WatchedRoute>([
  ['r1', { route: 'r1', node: {} }],
  ['r2', { route: 'r2', node: {} }],
  ['gone', { route: 'gone', node: undefined }],
]);

class Scene {
  readonly watch: StickyWatch;
  #number = 0;

  constructor(settings: Partial<StickySettings> = {}) {
    this.watch = new StickyWatch(SHOP, { ...SETTINGS, ...settings });
  }

  /** A response of `node` that sets a cookie; `*` in it is another number each time. */
  set(field: string, node = ONE, requestRoute = ''): void {
    const number = String(this.#number++).padStart(12, '0');
    this.watch.onSetCookie(field.replace('*', number), node, requestRoute, ROUTES);
  }

  /** What is seen, without zeros and without `opened` and `renewed`. */
  seen(): Record<string, unknown> {
    const { balancer, opened: _, renewed: __, ...rest } = this.watch.sample();
    assert.equal(balancer, SHOP);
    return Object.fromEntries(
      Object.entries(rest).filter(([, value]) => value !== 0 && !(Array.isArray(value) && value.length === 0)),
    );
  }
}

void test('ids with the route of their node are routed, wherever the route stands', () => {
  const scene = new Scene();
  scene.set('JSESSIONID=ID*.r1; Path=/; HttpOnly');
  scene.set('connect.sid=s%3AID*.r1.c2lnbmF0dXJl; Path=/');
  scene.set('JSESSIONID="ID*.r1"');
  assert.deepEqual(scene.seen(), { routed: 3 });
});

void test('ids that name no route are unrouted: signatures differ from id to id', () => {
  const scene = new Scene();
  for (const signature of ['aaaaaaaaaaaa', 'bbbbbbbbbbbb', 'cccccccccccc'])
    scene.set(`connect.sid=s%3AID*.${signature}; Path=/; HttpOnly`);
  scene.set('JSESSIONID=ID*');
  assert.deepEqual(scene.seen(), { unrouted: 4, name: 'JSESSIONID' });
});

void test('text that repeats after a dot is another route', () => {
  const scene = new Scene();
  for (let i = 0; i < 3; i++) scene.set('JSESSIONID=ID*.node1');
  for (let i = 0; i < 2; i++) scene.set(`connect.sid=s%3AID*.node9.signature${i}`, TWO);
  assert.deepEqual(scene.seen(), {
    unrouted: 2,
    other: 3,
    name: 'connect.sid',
    writes: [
      { node: 'n1', route: 'node1' },
      { node: 'n2', route: 'node9' },
    ],
  });
  scene.set('JSESSIONID=ID*.r1');
  assert.deepEqual(scene.seen()['writes'], [{ node: 'n2', route: 'node9' }]);
});

void test("the route of another node is strange, of a gone one is another, and of the request's session is kept", () => {
  const scene = new Scene();
  scene.set('JSESSIONID=ID*.r2');
  scene.set('JSESSIONID=ID*.gone', TWO);
  scene.set('JSESSIONID=ID*.r2', ONE, 'r2');
  const seen = scene.seen();
  assert.deepEqual([seen['strange'], seen['other'], seen['routed']], [1, 1, undefined]);
});

void test('an id that is set again, a deleted one and a short one are not new', () => {
  const scene = new Scene();
  for (let i = 0; i < 5; i++) scene.set('JSESSIONID=the-same-id.r1');
  scene.set('JSESSIONID=; Max-Age=0');
  scene.set('JSESSIONID=deleted; Max-Age=0');
  scene.set('JSESSIONID');
  assert.deepEqual(scene.seen(), { routed: 1 });
});

void test('cookies that are not configured count when they look like sessions or carry a route', () => {
  const scene = new Scene();
  scene.set('sid=s%3AID*.r1.signature; HttpOnly');
  scene.set('app_session=abcdefgh*; Path=/; Max-Age=3600');
  scene.set('oddname=abcdefgh*; Path=/; HttpOnly');
  scene.set('theme=darkdarkdarkdark*; Max-Age=3600; HttpOnly');
  scene.set('lang=englishenglish*');
  scene.set('csrf-session=abcdefgh*; HttpOnly');
  scene.set('rc_route=abcdefgh*; HttpOnly');
  assert.deepEqual(scene.seen(), { foreign: 2, foreignRouted: 1, foreignName: 'oddname' });
});

void test('in rewrite mode ids without a route count as routed', () => {
  const scene = new Scene({ mode: 'rewrite' });
  scene.set('JSESSIONID=ID*');
  assert.deepEqual([scene.watch.watchesCookies, scene.seen()], [true, { routed: 1 }]);
  for (const mode of ['insert', 'none'] as const) assert.equal(new Scene({ mode }).watch.watchesCookies, false);
});

void test("an id that replaces the id of the request's session is renewed, in both modes", () => {
  for (const [mode, field] of [
    ['rewrite', 'JSESSIONID=payload*.signature'],
    ['suffix', 'JSESSIONID=ID*.r1'],
  ] as const) {
    const scene = new Scene({ mode });
    scene.set(field);
    for (let i = 0; i < 3; i++) scene.set(field, ONE, 'r1');
    scene.set(field, TWO, 'r1');
    const { opened, renewed } = scene.watch.sample();
    assert.deepEqual([opened, renewed], [1, 3], `${mode}: the session that moved counts for neither`);
  }
});

void test('only the last hundred count, and a new start or other settings begin anew', () => {
  const scene = new Scene();
  for (let i = 0; i < 80; i++) scene.set('JSESSIONID=ID*');
  for (let i = 0; i < 60; i++) scene.set('JSESSIONID=ID*.r1');
  assert.deepEqual(scene.seen(), { routed: 60, unrouted: 40, name: 'JSESSIONID' });
  scene.watch.configure({ ...SETTINGS });
  assert.equal(scene.seen()['routed'], 60);
  scene.watch.configure({ ...SETTINGS, cookies: ['x'] });
  assert.deepEqual(scene.seen(), {});
  scene.watch.onVisitor(true);
  scene.watch.onVisitor(false);
  scene.watch.onVisitor(false);
  assert.deepEqual(scene.seen(), { returned: 1, refused: 2 });
  scene.watch.reset();
  assert.deepEqual(scene.seen(), {});
});

void test('a sample is reported when it has changed, and again when it was lost', () => {
  const { watch } = new Scene();
  assert.equal(watch.take(), undefined);
  watch.onUnroutedId('an-id-in-a-link', '_s');
  watch.onUnroutedId('an-id-in-a-link', '_s');
  watch.onRoutedId();
  const { unrouted, routed, name } = watch.take() as StickySample;
  assert.deepEqual([unrouted, routed, name], [1, 1, '_s']);
  assert.equal(watch.take(), undefined);
  watch.tellAgain();
  assert.equal(watch.take()?.unrouted, 1);
});

void test('a new session counts as routeless if its request has a session cookie of the application with a value', () => {
  const scene = new Scene({ mode: 'insert' });
  for (const [cookie, isRouteless] of [
    ['', false],
    ['theme=dark', false],
    ['JSESSIONID=', false],
    ['xJSESSIONID=a', false],
    ['theme=dark; JSESSIONID=a', true],
    ['connect.sid=s%3Aa', true],
  ] as const)
    assert.equal(scene.watch.onNewSession(cookie), isRouteless, cookie);
  assert.deepEqual(scene.seen(), { fresh: 4, routeless: 2, routelessName: 'connect.sid' });
});
