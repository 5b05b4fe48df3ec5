import { defineConfig } from 'tollgate';
import { triage } from './tasks.ts';

export default defineConfig({ tasks: [triage] });
