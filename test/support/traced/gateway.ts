import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LiteLlm, type LiteLlmProxy, startLiteLlm } from '../litellm.ts';

/** What LiteLLM itself made of the headers of a call. */
export interface GatewayCall {
  readonly request_tags: readonly string[];
  readonly end_user: string;
  /** It keeps the session as this. */
  readonly trace_id: string;
  readonly spend_logs_metadata: Readonly<Record<string, unknown>>;
}

/** A callback of LiteLLM's that writes down what its own logs are made of. */
const PROBE = `
import json
from litellm.integrations.custom_logger import CustomLogger


class Probe(CustomLogger):
    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        logged = kwargs["standard_logging_object"]
        line = {name: logged.get(name) for name in ("request_tags", "end_user", "trace_id")}
        line["spend_logs_metadata"] = logged["metadata"].get("spend_logs_metadata")
        with open("calls.jsonl", "a") as file:
            file.write(json.dumps(line) + "\\n")


probe = Probe()
`;

/** LiteLLM before the provider: it retries nothing, names our attempts to it, and sends spans of its own to the Collector. */
export async function startTracedGateway(found: LiteLlm, providerUrl: string, collectorUrl: string, folder: string): Promise<LiteLlmProxy> {
  writeFileSync(join(folder, 'probe.py'), PROBE);
  const upstream = (model: string) => ({ model: `openai/${model}`, api_base: providerUrl, api_key: 'simulated', timeout: 20 });
  const config = {
    model_list: ['gpt-5-mini', 'gpt-5-nano'].map((model) => ({ model_name: model, litellm_params: upstream(model) })),
    litellm_settings: { num_retries: 0, telemetry: false, callbacks: ['otel', 'probe.probe'] },
    router_settings: { num_retries: 0, disable_cooldowns: true },
    general_settings: { master_key: 'os.environ/LITELLM_MASTER_KEY', forward_client_headers_to_llm_api: true },
  };
  return await startLiteLlm(found, config, folder, {
    OTEL_EXPORTER: 'otlp_http',
    OTEL_ENDPOINT: collectorUrl,
    OTEL_SERVICE_NAME: 'litellm',
    OTEL_BSP_SCHEDULE_DELAY: '200',
  });
}

/** The calls that it answered. */
export function gatewayCalls(folder: string): GatewayCall[] {
  const lines = readFileSync(join(folder, 'calls.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as GatewayCall);
}
