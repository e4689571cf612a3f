/** Requests like those of a browser. */

export interface RequestShape {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Octets of the body of a POST. */
  readonly uploadBytes: number;
  /** Each request has `Connection: close`. */
  readonly closes: boolean;
}

/** Fields of every request of a browser except Host and Connection. */
const BROWSER_FIELDS = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Language: en-GB,en;q=0.5',
  'Accept-Encoding: gzip, deflate, br',
  'Referer: http://shop.example/products?page=2',
  'Sec-Fetch-Dest: document',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Site: same-origin',
];

/** The octets of one request. `cookies`: pairs that a server has set before, empty for none. */
export function requestOctets(shape: RequestShape, port: number, cookies: string): Buffer {
  const lines = [
    `${shape.method} ${shape.path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    ...BROWSER_FIELDS,
    `Cookie: theme=dark; visits=17${cookies === '' ? '' : `; ${cookies}`}`,
    shape.closes ? 'Connection: close' : 'Connection: keep-alive',
  ];
  if (shape.method === 'POST')
    lines.push('Content-Type: application/octet-stream', `Content-Length: ${shape.uploadBytes}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return shape.method === 'POST' ? Buffer.concat([head, Buffer.alloc(shape.uploadBytes, 'u')]) : head;
}

/** The request that turns a connection into a tunnel; `key` as in RFC 6455 §4.1. */
export function upgradeOctets(path: string, port: number, key: string): Buffer {
  return Buffer.from(
    [
      `GET ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      ...BROWSER_FIELDS.slice(0, 1),
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${key}`,
      '\r\n',
    ].join('\r\n'),
    'latin1',
  );
}
