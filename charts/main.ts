import { App } from 'cdk8s';
import { accounts } from './accounts';
import { catalogue } from './catalogue';
import { customers } from './customers';
import { messaging } from './messaging';
import { ocelot } from './ocelot';
import { ocelotDump } from './ocelot-dump';
import { ocelotRestore } from './ocelot-restore';
import { orders } from './orders';
import { ordersCopy } from './orders-copy';
import { ordersDump } from './orders-dump';
import { ordersGroup } from './orders-group';
import { ordersRelease } from './orders-release';
import { ordersRestore } from './orders-restore';
import { ordersWal } from './orders-wal';
import { registry } from './registry';
import { sessions } from './sessions';
import { shop } from './shop';
import { staging } from './staging';
import { uploads } from './uploads';

const app = new App();
// What a cluster has once comes first, so that `kubectl apply -f dist/` works on a cluster that has nothing yet.
const cluster = registry(app);
for (const chart of [
  orders,
  ordersWal,
  ordersGroup,
  ordersRestore,
  ordersRelease,
  accounts,
  catalogue,
  sessions,
  shop,
  staging,
  ocelot,
  ocelotRestore,
  ordersDump,
  messaging,
  ocelotDump,
  ordersCopy,
  customers,
  uploads,
])
  chart(app).addDependency(cluster);
app.synth();
