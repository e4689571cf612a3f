/** The frame of the page: top line, navigation, the open view, and what is open above it. */

import { ClusterView } from './cluster/cluster-view.tsx';
import { Dialogs } from './dialogs/dialogs.tsx';
import { Navigation } from './frame/navigation.tsx';
import { ToastLine } from './frame/toast-line.tsx';
import { TopLine } from './frame/top-line.tsx';
import { ActionBar } from './nodes/action-bar.tsx';
import { isLive, place } from './state.ts';
import { DrainsView } from './views/drains-view.tsx';
import { EventsView } from './views/events-view.tsx';
import { NodeView } from './views/node-view.tsx';
import { RequestsView } from './views/requests-view.tsx';

export function App() {
  return (
    <div class={isLive.value ? 'page' : 'page stale'}>
      <TopLine />
      <Navigation />
      <main id="main">
        <View />
      </main>
      <ActionBar />
      <ToastLine />
      <Dialogs />
    </div>
  );
}

function View() {
  switch (place.value.view) {
    case 'cluster':
      return <ClusterView />;
    case 'drains':
      return <DrainsView />;
    case 'events':
      return <EventsView />;
    case 'requests':
      return <RequestsView />;
    case 'node':
      return <NodeView key={place.value.node} id={place.value.node ?? ''} />;
  }
}
