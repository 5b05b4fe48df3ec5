import { join } from 'node:path';
import { loadSettings } from './config/load.ts';
import { defineConfig } from './index.ts';
import { createCustomerSupport } from './tasks/customer-support/task.ts';

/** Tollgate's own project: the tasks that it ships. A team's project looks the same, with `tollgate` in place of the paths. */
export default defineConfig({
  tasks: [createCustomerSupport({ databasePath: join(loadSettings().home, 'northwind.db') })],
});
