/** A program with the SDK that never listens: it ends when its work is done. */
import { rollcall } from '@rollcall/agent';

rollcall({ balancer: 'shop', port: 3000 }).register();
console.log('done');
