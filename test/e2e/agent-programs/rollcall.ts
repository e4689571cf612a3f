/** The `rollcall` command from source. */
import { main } from '@rollcall/cli';

await main(process.argv);
