import { defineConfig } from 'tollgate';
import { extract, support } from '../support-task.ts';

export default defineConfig({ tasks: [support, extract] });
