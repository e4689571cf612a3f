/** The command from source, as a process of its own. */
import { main } from '@rollcall/cli';

await main(process.argv);
