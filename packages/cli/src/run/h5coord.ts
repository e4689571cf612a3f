import { startScriptedCoordinator } from '@rollcall/agent/testing';
const c = await startScriptedCoordinator();
console.log(c.url);
for (;;) { const p = await c.peer(); console.log('peer');
 (async()=>{ const n = await p.accept(); console.log(JSON.stringify(n));
  (async()=>{for(;;) console.log(JSON.stringify(await p.next('heartbeat')));})(); })();
  const iv=setInterval(()=>{ const s=p.received.find(m=>m.type==='status'); if(s){console.log(JSON.stringify(s)); clearInterval(iv); setTimeout(()=>p.send({type:'drained'}),300);} },50);
  p.closed().then(()=>console.log('closed',p.closeCode,p.received.map(m=>m.type).join()));
}
