/** Next calls this once in each process that serves. */
export async function register() {
  if (process.env.NEXT_RUNTIME === 'nodejs') {
    const { rollcall } = await import('@rollcall/agent');
    rollcall({ balancer: 'shop', port: Number(process.env.PORT ?? 3000) }).register();
  }
}
