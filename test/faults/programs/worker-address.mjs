/**
 * Loaded into the processes of `rollcall up` by NODE_OPTIONS. Each worker connects to nodes from its own address (10.77.0.101,
 * 10.77.0.102, …), so that a packet filter can distinguish workers. It writes its process id to WORKER_ADDRESS_DIR/worker-N.
 */
import { openSync, writeSync } from 'node:fs';
import net from 'node:net';

const directory = process.env.WORKER_ADDRESS_DIR;
if (directory !== undefined && /\bworker\.[jt]s$/.test(process.argv[1] ?? '')) {
  const localAddress = `10.77.0.${100 + takeNumber(directory)}`;
  const { connect } = net.Socket.prototype;
  net.Socket.prototype.connect = function (...args) {
    // `net.connect` hands over its arguments in one list, options first.
    const options = Array.isArray(args[0]) ? args[0][0] : args[0];
    if (typeof options?.host === 'string' && options.host.startsWith('10.77.0.') && options.host !== '10.77.0.100')
      options.localAddress = localAddress;
    return connect.apply(this, args);
  };
}

/** The lowest number without a file, which it makes. */
function takeNumber(folder) {
  for (let number = 1; ; number++) {
    try {
      writeSync(openSync(`${folder}/worker-${number}`, 'wx'), `${process.pid}\n`);
      return number;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
  }
}
